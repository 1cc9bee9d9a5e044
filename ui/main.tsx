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
import { RequestQueue } from './api/requests.ts';
import { CursorStore } from './chart/cursor-store.ts';
import { ColorRegistry } from './data/series-style.ts';
import { App } from './pane/App.tsx';
import { ServicesContext } from './pane/services.ts';
import { ViewStore } from './view/store.ts';

const services = {
  queue: new RequestQueue(),
  view: new ViewStore(),
  cursor: new CursorStore(),
  colors: new ColorRegistry(),
};

createRoot(document.getElementById('root') as HTMLElement).render(
  <ServicesContext value={services}>
    <App />
  </ServicesContext>,
);
