"""Our kernel through jupyter_client: what a conformance suite does not ask."""

import os
import signal
import sys
import time
import unittest

import psutil
from jupyter_client.manager import start_new_kernel

IMAGE = os.path.join(os.path.dirname(__file__), "../../../notebooks/images/banana.png")
# A busy machine needs patience.
TIMEOUT = 300

# An explanation that takes minutes where it is not interrupted.
LONG_EXPLANATION = f"""await explain({{
  image: {os.path.abspath(IMAGE)!r},
  question: 'What is there?',
  tokens: 'all',
  method: {{ name: 'igos++', preset: 'paper', iterations: 1000 }},
}})"""


def tree(pid):
    """Processes below `pid`, by the file that they run."""
    found = {}
    for child in psutil.Process(pid).children(recursive=True):
        for argument in child.cmdline():
            if argument.endswith("kernel.js"):
                found["kernel"] = child
            if argument.endswith("engine.js"):
                found["engine"] = child
    return found


class Kernel:
    """A kernel and what was heard from it."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="lvlm-lens", startup_timeout=TIMEOUT)

    @property
    def pid(self):
        return self.manager.provisioner.pid

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()

    def send(self, code, **options):
        return self.client.execute(code, **options)

    def collect(self, message_id, timeout=TIMEOUT, while_running=None):
        """The reply and the outputs of a request, until it is idle. Calls `while_running` at each output."""
        outputs = []
        deadline = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            if message["msg_type"] not in ("status", "execute_input"):
                outputs.append(message)
                if while_running:
                    while_running(message)
        while True:
            reply = self.client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"], outputs

    def run(self, code, **options):
        return self.collect(self.send(code, **options))

    def value(self, code):
        """The result of a cell as text."""
        reply, outputs = self.run(code)
        assert reply["status"] == "ok", reply
        return next(o["content"]["data"]["text/plain"] for o in outputs if o["msg_type"] == "execute_result")


def text_of(outputs, name="stdout"):
    return "".join(
        o["content"]["text"] for o in outputs if o["msg_type"] == "stream" and o["content"]["name"] == name
    )


class OneKernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel()
        cls.kernel.run("let kept = 41")

    @classmethod
    def tearDownClass(cls):
        cls.kernel.close()

    def interrupted(self, code, interrupt, ready=None):
        kernel = self.kernel
        message_id = kernel.send(code)
        if ready:
            ready(message_id)
        else:
            time.sleep(0.5)
        begun = time.monotonic()
        interrupt()
        reply, outputs = kernel.collect(message_id)
        took = time.monotonic() - begun
        self.assertEqual(reply["status"], "error", reply)
        self.assertEqual([o["msg_type"] for o in outputs if o["msg_type"] == "error"], ["error"])
        self.assertIn("interrupted", reply["evalue"])
        # Nothing here ends on its own within minutes.
        self.assertLess(took, 5.0, f"{code!r} was interrupted after {took:.2f} s")
        self.assertEqual(kernel.value("kept + 1"), "42")

    def by_message(self):
        self.kernel.manager.interrupt_kernel()

    def by_signal(self):
        os.kill(self.kernel.pid, signal.SIGINT)

    def ways(self):
        return [self.by_message] if sys.platform == "win32" else [self.by_message, self.by_signal]

    def test_interrupt_of_a_synchronous_loop(self):
        for way in self.ways():
            with self.subTest(way.__name__):
                self.interrupted("while (true) {}", way)

    def test_interrupt_of_a_pending_await(self):
        for way in self.ways():
            with self.subTest(way.__name__):
                self.interrupted("await new Promise(() => {})", way)

    def test_interrupt_of_a_synchronous_loop_after_an_await(self):
        for way in self.ways():
            with self.subTest(way.__name__):
                self.interrupted("await new Promise((done) => setTimeout(done, 50)); for (;;) {}", way)

    def test_interrupt_of_a_run_in_the_engine(self):
        self.kernel.run("const model = await loadModel('pocket')")

        def until_progress(message_id):
            while True:
                message = self.kernel.client.get_iopub_msg(timeout=TIMEOUT)
                if message["parent_header"].get("msg_id") == message_id and message["msg_type"] == "display_data":
                    return

        for way in self.ways():
            with self.subTest(way.__name__):
                self.interrupted(LONG_EXPLANATION, way, until_progress)
        self.assertEqual(self.kernel.value("model.id"), "'pocket'")

    def test_crash_of_the_engine(self):
        killed = []

        def kill(message):
            if not killed and message["msg_type"] == "display_data":
                engine = tree(self.kernel.pid)["engine"]
                killed.append(engine.pid)
                engine.kill()

        message_id = self.kernel.send(LONG_EXPLANATION)
        reply, outputs = self.kernel.collect(message_id, while_running=kill)
        self.assertTrue(killed)
        self.assertEqual(reply["status"], "error")
        self.assertIn("the engine process was killed", reply["evalue"])
        self.assertEqual(len([o for o in outputs if o["msg_type"] == "error"]), 1)
        image = os.path.abspath(IMAGE)
        code = f"(await selectTokens({{ image: {image!r}, question: 'What is there?' }})).question"
        self.assertEqual(self.kernel.value(code), "'What is there?'")

    def test_an_idle_engine_gives_its_memory_back(self):
        image = os.path.abspath(IMAGE)
        select = f"(await selectTokens({{ image: {image!r}, question: 'What is there?' }})).question"
        self.kernel.run("process.env.LVLM_LENS_IDLE_SECONDS = '1'; const before = await loadModel('pocket')")
        self.assertEqual(self.kernel.value(select), "'What is there?'")
        engine = tree(self.kernel.pid)["engine"]
        held = engine.memory_info().rss
        self.assertGreater(held, 50e6, "a model is in memory")
        _, alive = psutil.wait_procs([engine], timeout=TIMEOUT)
        self.assertEqual(alive, [], "the engine ends by itself")
        self.assertNotIn("engine", tree(self.kernel.pid))
        self.assertEqual(self.kernel.value("before.id"), "'pocket'")
        self.assertEqual(self.kernel.value(select), "'What is there?'")
        self.assertNotEqual(tree(self.kernel.pid)["engine"].pid, engine.pid)
        self.kernel.run("delete process.env.LVLM_LENS_IDLE_SECONDS")

    def test_output_of_child_processes_and_native_code(self):
        code = """import { spawnSync } from 'node:child_process';
            import { writeSync } from 'node:fs';
            spawnSync(process.execPath, ['-e', 'console.log("from a child"); console.error("its error")'], { stdio: 'inherit' });
            writeSync(1, 'past all streams');
            undefined"""
        for _ in range(3):
            reply, outputs = self.kernel.run(code)
            self.assertEqual(reply["status"], "ok", reply)
            self.assertEqual(text_of(outputs), "from a child\npast all streams")
            self.assertEqual(text_of(outputs, "stderr"), "its error\n")

    def test_a_hundred_thousand_lines(self):
        reply, outputs = self.kernel.run("for (let i = 0; i < 100_000; i++) console.log('line', i)")
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(text_of(outputs), "".join(f"line {i}\n" for i in range(100_000)))
        self.assertLess(len(outputs), 5_000, "lines that come together are sent together")

    def test_output_while_a_loop_runs(self):
        seen = []
        code = """for (let i = 0; i < 3; i++) {
            console.log(i);
            const begun = Date.now();
            while (Date.now() - begun < 1000) {}
        }"""
        self.kernel.collect(self.kernel.send(code), while_running=lambda _: seen.append(time.monotonic()))
        self.assertEqual(len(seen), 3)
        self.assertGreater(seen[2] - seen[0], 0.4, "output does not wait for the end of the loop")

    def test_two_hundred_cells_in_a_row(self):
        first = int(self.kernel.run("0")[0]["execution_count"])
        ids = [self.kernel.send(f"const cell{i % 10} = {i}; console.log({i}); cell{i % 10} * 2") for i in range(200)]
        for i, message_id in enumerate(ids):
            reply, outputs = self.kernel.collect(message_id)
            self.assertEqual(reply["status"], "ok", reply)
            self.assertEqual(reply["execution_count"], first + 1 + i)
            self.assertEqual(text_of(outputs), f"{i}\n")
            self.assertEqual(outputs[-1]["content"]["data"]["text/plain"], str(2 * i))

    def test_an_error_after_the_end_of_its_cell(self):
        message_id = self.kernel.send("setTimeout(() => { throw new Error('too late') }, 200); 'over'")
        reply, _ = self.kernel.collect(message_id)
        self.assertEqual(reply["status"], "ok")
        deadline = time.monotonic() + 10
        late = ""
        while "too late" not in late:
            self.assertLess(time.monotonic(), deadline)
            message = self.kernel.client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "stream" and message["parent_header"]["msg_id"] == message_id:
                late += message["content"]["text"]
        self.assertEqual(self.kernel.value("kept + 1"), "42")

    def test_input(self):
        client = self.kernel.client
        message_id = client.execute("const answer = await input('Name? '); answer.length", allow_stdin=True)
        asked = client.get_stdin_msg(timeout=TIMEOUT)
        self.assertEqual(asked["msg_type"], "input_request")
        self.assertEqual(asked["content"], {"prompt": "Name? ", "password": False})
        client.input("Ünïcode 🐈")
        _, outputs = self.kernel.collect(message_id)
        self.assertEqual(outputs[-1]["content"]["data"]["text/plain"], "10")
        reply, _ = self.kernel.run("await input('nobody there')", allow_stdin=False)
        self.assertEqual(reply["ename"], "LensError")

    def test_silent_history_and_user_expressions(self):
        before = self.kernel.run("1")[0]["execution_count"]
        reply, outputs = self.kernel.run("let quiet = 2; quiet", silent=True)
        self.assertEqual((reply["status"], outputs), ("ok", []))
        reply, outputs = self.kernel.run("quiet", store_history=False)
        self.assertEqual(outputs[0]["content"]["data"]["text/plain"], "2")
        expressions = {"twice": "quiet * 2", "wrong": "nowhere"}
        reply, _ = self.kernel.run("3", user_expressions=expressions)
        self.assertEqual(reply["execution_count"], before + 1)
        self.assertEqual(reply["user_expressions"]["twice"]["data"]["text/plain"], "4")
        self.assertEqual(reply["user_expressions"]["wrong"]["status"], "error")

    def test_an_error_aborts_what_was_sent_with_it_and_nothing_else(self):
        wait = "await new Promise((done) => setTimeout(done, 300)); throw new Error('stop')"
        ids = [self.kernel.send(wait), self.kernel.send("'not run'")]
        self.assertEqual(self.kernel.collect(ids[0])[0]["status"], "error")
        self.assertEqual(self.kernel.collect(ids[1])[0]["status"], "aborted")
        ids = [self.kernel.send(wait, stop_on_error=False), self.kernel.send("'run'")]
        self.assertEqual(self.kernel.collect(ids[0])[0]["status"], "error")
        self.assertEqual(self.kernel.collect(ids[1])[0]["status"], "ok")
        self.assertEqual(self.kernel.run("'right after'")[0]["status"], "ok")

    def test_traceback_points_into_the_cell(self):
        reply, _ = self.kernel.run("const fine = 1;\nfunction fail() {\n  throw new RangeError('here');\n}\nfail();")
        self.assertEqual((reply["ename"], reply["evalue"]), ("RangeError", "here"))
        traceback = "\n".join(reply["traceback"])
        self.assertIn("line 3, column 9", traceback)
        self.assertIn("> 3 |   throw new RangeError('here');", traceback)
        reply, _ = self.kernel.run("const n: number = 'text'")
        self.assertIn("line 1, column 7", "\n".join(reply["traceback"]))

    def test_completion_counts_code_points(self):
        code = "const cat = '🐈🐈'; kep"
        self.kernel.client.complete(code, len(code))
        while True:
            reply = self.kernel.client.get_shell_msg(timeout=TIMEOUT)
            if reply["msg_type"] == "complete_reply":
                break
        content = reply["content"]
        self.assertEqual(content["matches"], ["kept"])
        self.assertEqual(code[content["cursor_start"] : content["cursor_end"]], "kep")


class Lifetimes(unittest.TestCase):
    def test_restart(self):
        kernel = Kernel()
        try:
            kernel.run("let gone = 1")
            before = tree(kernel.pid)["kernel"]
            kernel.client.stop_channels()
            kernel.manager.restart_kernel(now=False)
            kernel.client = kernel.manager.client()
            kernel.client.start_channels()
            kernel.client.wait_for_ready(timeout=TIMEOUT)
            reply, _ = kernel.run("gone")
            self.assertEqual(reply["ename"], "TypeScriptError")
            self.assertEqual(reply["execution_count"], 1)
            self.assertFalse(before.is_running() and before.status() != psutil.STATUS_ZOMBIE)
        finally:
            kernel.close()

    def test_two_kernels_at_once_and_their_end(self):
        one, other = Kernel(), Kernel()
        try:
            one.run("let mine = 'one'")
            other.run("let mine = 'other'")
            loop = one.send("for (;;) {}")
            self.assertEqual(other.value("mine"), "'other'")
            one.manager.interrupt_kernel()
            self.assertEqual(one.collect(loop)[0]["status"], "error")
            self.assertEqual(one.value("mine"), "'one'")
            # A server that is killed cannot end its kernels: they do so themselves, even out of a loop.
            process = tree(other.pid)["kernel"]
            other.send("for (;;) {}")
            time.sleep(0.5)
            os.kill(other.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs([process], timeout=10)
            self.assertEqual(alive, [])
        finally:
            one.close()
            other.close()

    def test_end_of_the_kernel_process(self):
        kernel = Kernel()
        try:
            message_id = kernel.send("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})")
            reply, outputs = kernel.collect(message_id)
            self.assertEqual(reply["status"], "error")
            self.assertEqual(reply["ename"], "KernelGone")
            self.assertIn("All variables are lost", outputs[-1]["content"]["evalue"])
            deadline = time.monotonic() + 5
            while kernel.manager.is_alive():
                self.assertLess(time.monotonic(), deadline, "Jupyter learns of it by the end of the process")
                time.sleep(0.05)
        finally:
            kernel.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
