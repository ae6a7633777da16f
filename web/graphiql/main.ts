// The editor's workers, each a file of ours.
import 'graphiql/setup-workers/vite';
// Not `graphiql/style.css`: it holds two typefaces as text, a third of a megabyte of them.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './room.css';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { EXAMPLES } from './examples';
import { fetcher } from './fetcher';

const room = document.getElementById('graphiql');
if (room !== null) {
  createRoot(room).render(
    createElement(GraphiQL, {
      fetcher,
      defaultTabs: EXAMPLES,
      defaultEditorToolsVisibility: 'variables',
      // The cookie says who is asking, so there are no headers to write.
      isHeadersEditorEnabled: false,
    }),
  );
}
