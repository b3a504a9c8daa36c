"""What data-protection officers send."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.http.fields import RequestBody, Text
from domain.data_protection import Order


class OrderBody(RequestBody):
    """On what legal basis, in which case: both stay in the log in the clear, without a name."""

    legal_basis: Annotated[Text, Field(examples=["个人信息保护法第四十七条"])]
    case: Annotated[Text, Field(examples=["2026-DP-17"])]

    def order(self) -> Order:
        return Order(self.legal_basis, self.case)
