/**
 * Stands in for the native logger of VS Code's server, which would have to be compiled: without one it writes no log, and output
 * channels for logs stay empty. The same interface, as far as VS Code uses it.
 */
const { appendFileSync, mkdirSync } = require('node:fs');
const path = require('node:path');

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];

class Logger {
  #file;
  #level = LEVELS.indexOf('info');
  #isRaw = false;

  constructor(_type, _name, file) {
    this.#file = file;
    mkdirSync(path.dirname(file), { recursive: true });
  }

  getLevel() {
    return this.#level;
  }

  setLevel(level) {
    this.#level = level;
  }

  setPattern() {
    this.#isRaw = false;
  }

  clearFormatters() {
    this.#isRaw = true;
  }

  flush() {
    // Each line is written at once.
  }

  drop() {
    // No file is held open.
  }

  write(level, text) {
    if (LEVELS.indexOf(level) < this.#level) return;
    const time = new Date().toISOString().replace('T', ' ').replace('Z', '');
    appendFileSync(this.#file, this.#isRaw ? text : `${time} [${level}] ${text}\n`);
  }
}

for (const [method, level] of Object.entries({
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warning',
  error: 'error',
  critical: 'critical',
})) {
  Logger.prototype[method] = function (text) {
    this.write(level, text);
  };
}

const create = (type) => (name, file) => Promise.resolve(new Logger(type, name, file));

exports.version = 0;
exports.setLevel = () => undefined;
exports.setFlushOn = () => undefined;
exports.Logger = Logger;
exports.createRotatingLogger = create('rotating');
exports.createAsyncRotatingLogger = create('rotating_async');
