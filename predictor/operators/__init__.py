"""What is known about each operator of TFLM: one module per family, one row per operator.

``families.py`` says which module knows which operator; a module is imported when one of its
operators is first met.
"""
