"""What a user has, and every line that changed it."""

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from credits import ledger
from credits.models import Entry

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class EntryShape(serializers.ModelSerializer[Entry]):
    """One line of the ledger; `amount` is what it adds to the balance."""

    class Meta:
        model = Entry
        fields = ["id", "kind", "amount", "balance_after", "reference", "reason", "created"]


class CreditsShape(serializers.Serializer[Any]):
    """Credits owned, set aside and free, with the newest lines."""

    balance = serializers.IntegerField(help_text="credits owned, held ones included")
    held = serializers.IntegerField(help_text="credits set aside for runs in progress")
    available = serializers.IntegerField()
    entries = EntryShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class Credits(GenericAPIView[Entry]):
    """A user's credits."""

    scopes = {"GET": "account"}
    queryset = Entry.objects.none()
    serializer_class = CreditsShape

    @extend_schema(operation_id="credits", summary="See your balance and its history", responses=CreditsShape)
    def get(self, request: Request) -> Response:
        """Balance and entries, newest first; `next` leads to older ones."""
        user = cast("User", request.user)
        pages = cast("CursorPagination", self.paginator)
        entries = self.paginate_queryset(Entry.objects.filter(account__user=user))
        balance = ledger.balance(user)
        return Response(
            {
                "balance": balance.balance,
                "held": balance.held,
                "available": balance.available,
                "entries": EntryShape(entries, many=True).data,
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
            }
        )
