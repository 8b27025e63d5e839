/** An extension that lets a test run code in VS Code's extension host: function bodies come over a socket. */
const http = require('node:http');
const vscode = require('vscode');

const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;

async function answer(body) {
  try {
    const { code, args } = JSON.parse(body);
    const call = new AsyncFunction('vscode', 'args', code);
    return { value: await call(vscode, args) };
  } catch (error) {
    return { error: String((error && error.stack) || error) };
  }
}

exports.activate = (context) => {
  const socket = process.env.LVLM_LENS_TEST_SOCKET;
  if (!socket) return;
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', async () => response.end(JSON.stringify(await answer(body))));
  });
  server.listen(socket);
  context.subscriptions.push({ dispose: () => server.close() });
};
