import { useEffect, useState, useSyncExternalStore } from 'react';
import type { Panel } from '../../server/dashboards/index.ts';
import { type FeedRequest, type FeedState, PanelFeed } from './feed.ts';
import { useServices } from './services.ts';

/** Keeps a panel's data up to date with what is asked. */
export function useFeed(panel: Panel, request: FeedRequest): { state: FeedState; retry: () => void } {
  const { queue } = useServices();
  const [feed] = useState(() => new PanelFeed(queue, panel));
  useEffect(() => feed.request(request));
  useEffect(() => () => feed.stop(), [feed]);
  return { state: useSyncExternalStore(feed.subscribe, feed.get), retry: feed.retry };
}
