import { render } from 'preact';
import { Socket } from './api/socket';
import { App } from './views/app';

const room = document.getElementById('page');
if (room !== null) render(<App socket={new Socket()} />, room);
