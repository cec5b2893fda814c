"""The knowledge desk: check, fix, vet, sign, diff and report."""


class DeskFault(ValueError):
    """Something that the person at the desk can mend; the message says how."""
