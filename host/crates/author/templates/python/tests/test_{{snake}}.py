"""Natively, without a component: the host is a stand-in."""

import unittest

import {{snake}}_tools  # noqa: F401  declares the tools
from wardian_plugin import InvalidInput, testing


class Greet(unittest.TestCase):
    def test_a_person_is_greeted_by_name(self):
        self.assertEqual(testing.call("greet", {"name": "Ada"}), {"text": "Hello, Ada."})
        self.assertEqual(testing.call("greet", {"name": "Ada", "excited": True}), {"text": "Hello, Ada!"})

    def test_nobody_cannot_be_greeted(self):
        with self.assertRaises(InvalidInput):
            testing.call("greet", {"name": ""})


if __name__ == "__main__":
    unittest.main()
