import { useEffect, useState, useSyncExternalStore } from 'react';
import type { Panel } from '../../server/dashboards/index.ts';
import { type FeedRequest, type FeedState, PanelFeed } from './feed.ts';
import { useLost, useServices } from './services.ts';

/** Keeps a panel's data up to date with what is asked. */
export function useFeed(panel: Panel, request: FeedRequest): { state: FeedState; retry: () => void } {
  const { queue } = useServices();
  const [feed] = useState(() => new PanelFeed(queue, panel));
  const isLost = useLost() !== undefined;
  useEffect(() => feed.request(request));
  useEffect(() => () => feed.stop(), [feed]);
  useEffect(() => {
    // What failed because nobody answered is asked again as soon as somebody does.
    if (!isLost && feed.get().kind === 'failed') feed.retry();
  }, [feed, isLost]);
  return { state: useSyncExternalStore(feed.subscribe, feed.get), retry: feed.retry };
}
