"""Topic modelling: independent axes of an embedding of documents, and the terms that name them."""

from skcontrast.topics._separation import SemanticSignalSeparation, document_term_vectors

__all__ = ["SemanticSignalSeparation", "document_term_vectors"]
