"""Our kernel in `jupyter console`, on a terminal."""

import re
import sys

import pexpect

IMAGE = sys.argv[1]

console = pexpect.spawn(
    sys.executable,
    ["-m", "jupyter", "console", "--kernel", "lvlm-lens", "--simple-prompt"],
    encoding="utf-8",
    timeout=120,
    dimensions=(50, 200),
)
console.setecho(False)


def answer(line):
    """What the console prints for a line, up to the next prompt."""
    console.sendline(line)
    console.expect(r"\r?\nIn \[\d+\]: ")
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.before)


console.expect(r"In \[1\]: ")
assert "LVLM Lens" in console.before, console.before
assert re.search(r"Out\[1\]: 2", answer("1 + 1"))
assert "hello" in answer("console.log('hello')")
assert "on purpose" in answer("throw new Error('on purpose')")
shown = answer(f"await selectTokens({{ image: {IMAGE!r}, question: 'What is there?' }})")
assert re.search(r"Out\[4\]: .*\S", shown), shown
assert "explain(options: ExplainOptions)" in answer("explain?")
console.sendline("for (;;) {}")
console.expect(pexpect.TIMEOUT, timeout=0.5)
console.sendintr()
console.expect("interrupted")
console.expect(r"In \[\d+\]: ")
assert re.search(r": 3", answer("1 + 2"))
console.sendeof()
console.expect("really want to exit")
console.sendline("y")
console.expect(pexpect.EOF)
print("ok")
