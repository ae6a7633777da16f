import { render } from 'preact';
import { Socket } from './api/socket';
import { SignInForGraphiQL, leadsToGraphiQL } from './graphiql/entry';
import { App } from './views/app';

const room = document.getElementById('page');
const View = leadsToGraphiQL(location.search) ? SignInForGraphiQL : App;
if (room !== null) render(<View socket={new Socket()} />, room);
