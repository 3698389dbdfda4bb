"""What goes wrong with a mesh, said in one sentence."""


class MeshError(Exception):
    """The mesh cannot do what was asked; the text is a sentence for the person at the terminal."""
