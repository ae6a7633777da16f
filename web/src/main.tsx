import { render } from 'preact';
import { Socket } from './api/socket';
import { Door, leadsToGraphiQL } from './graphiql/door';
import { App } from './views/app';

const room = document.getElementById('page');
const View = leadsToGraphiQL(location.search) ? Door : App;
if (room !== null) render(<View socket={new Socket()} />, room);
