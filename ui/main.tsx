// The order matters: the language is mended before uPlot reads it.
import './view/locale.ts';

import { createRoot } from 'react-dom/client';
import 'uplot/dist/uPlot.min.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/bar.css';
import './styles/pane.css';
import './styles/messages.css';
import './styles/moment.css';
import './styles/trace.css';
import './styles/explorer.css';
import './styles/cost.css';
import { RequestQueue } from './api/requests.ts';
import { tenantNames } from './api/tenants.ts';
import { CursorStore } from './chart/cursor-store.ts';
import { ColorRegistry } from './data/series-style.ts';
import { App } from './pane/App.tsx';
import { ServicesContext } from './pane/services.ts';
import { ViewStore } from './view/store.ts';

const queue = new RequestQueue();
const view = new ViewStore();

/** The page itself is nobody's; whose data it shows stands in its address. */
async function start(): Promise<void> {
  // A server that doesn't answer now is asked again by the page, which says so.
  const tenants = await tenantNames(queue).catch(() => []);
  const tenant = view.get().tenant ?? tenants[0];
  if (tenant !== undefined && tenants.length > 0) {
    queue.askAs(tenant);
    view.change({ tenant });
  }
  const services = { queue, view, cursor: new CursorStore(), colors: new ColorRegistry(), tenants };
  createRoot(document.getElementById('root') as HTMLElement).render(
    <ServicesContext value={services}>
      <App />
    </ServicesContext>,
  );
}

void start();
