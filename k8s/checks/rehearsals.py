"""The rehearsal's own tests, which need no cluster."""

import io
import unittest

from rehearsal import tests


def check():
    told = io.StringIO()
    result = unittest.TextTestRunner(stream=told).run(unittest.defaultTestLoader.loadTestsFromModule(tests))
    return [f"rehearsal: {test}: {text}" for test, text in result.failures + result.errors]
