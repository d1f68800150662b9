"""Attacks on what the project makes and reads, seeded and counted: ``python -m tools.attack``.

Each module is a class of attacks: ``attacks(work, seed, tries)`` does them and tells of each how it
ended (``outcome.py``). They use harmless input: bits flipped in files of ours, processes killed,
servers on this machine that lie.
"""
