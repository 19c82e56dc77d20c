"""
Several processes that answer at one set of ports, and their parent, which answers nothing.
Here is what each of the two does, and how they talk with each other.
It imports what daemon does.
"""
