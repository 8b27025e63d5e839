"""Jupyter's own conformance suite against our kernel, with every optional part switched on."""

import sys
import unittest

import jupyter_kernel_test


class LvlmLensTests(jupyter_kernel_test.KernelTests):
    kernel_name = "lvlm-lens"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('to the error stream')"
    completion_samples = [
        {"text": "consol", "matches": {"console"}},
        {"text": "explai", "matches": {"explain", "explainDataset"}},
    ]
    complete_code_samples = ["1 + 1", "const a: number = await Promise.resolve(2)", "for await (const n of []) {}"]
    incomplete_code_samples = ["function f() {", "explain({", "const text = [1,"]
    invalid_code_samples = ["const = 3", "1 +* 2"]
    code_page_something = "explain?"
    code_generate_error = "throw new Error('on purpose')"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2, 3].map((n) => n * n)", "result": "[ 1, 4, 9 ]"},
        {"code": "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/markdown': '*x*', 'text/plain': 'x' }) })", "mime": "text/markdown", "result": "*x*"},
    ]
    code_display_data = [
        {"code": "await display({ a: 1 })", "mime": "text/plain"},
        {
            "code": "await display({ [Symbol.for('Jupyter.display')]: () => ({ 'application/vnd.lvlm-lens.v1+json': {} }) })",
            "mime": "application/vnd.lvlm-lens.v1+json",
        },
    ]
    code_history_pattern = "1 + 2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "explain"
    code_clear_output = "clearOutput()"


class IopubWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "lvlm-lens"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
