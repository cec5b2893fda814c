"""The retriever as LangChain code knows it. In a module of its own, because serving does without LangChain's seconds of imports."""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from bot.retrieval.retriever import BEST, Retriever


class CardRetriever(BaseRetriever):
    """`invoke` gives the best cards as Documents whose metadata hold card, title, score and similarity."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    k: int = BEST

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(
                id=hit.card.id,
                page_content="\n\n".join(p.text for p in hit.card.passages),
                metadata={"card": hit.card.id, "title": hit.card.title, "score": hit.score, "similarity": hit.similarity},
            )
            for hit in self.retriever.search(query, k=self.k)
        ]
