"""What is known about each operator of TFLM, in folders as TFLM has them.

``reference`` holds a row for each operator; other folders hold what differs with their kernels.
``registry.py`` lays them over each other, ``kernel_set.py`` says which make up a kernel set. The
modules beside the folders are what kernels of several folders share.
"""
