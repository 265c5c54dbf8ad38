"""From a graph to PyTorch source; only `load` imports torch.

The layout pass decides where the axes of every tensor lie (`layout`), specialisations
of a block become one class (`classes`), its layers a tree of containers (`chains`), a
constructor (`construct`) and a forward pass (`forward`); `module` joins it all, with
the runtime classes of ops (`lift`).
"""
