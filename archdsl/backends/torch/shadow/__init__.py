"""Running a compiled module without numbers, to see what memory it takes.

The source that `compile` writes is executed, but its ``torch`` is a stand-in whose
tensors have a shape, strides, a dtype and a storage, and no elements. So every name
that the source binds, every view, every copy that a ``flatten`` has to make and every
tensor that autograd would hold is there, in the order in which PyTorch has them, and
nothing is computed. What the stand-in knows of PyTorch is what PyTorch 2.13 does on
the CPU; the tests compare it with autograd itself.
"""
