"""REST views of proposed refunds, for staff: a second person approves or refuses them."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import commands, queries
from billing.models import RefundProposal, RefundProposalStatus
from integration.admin.viewer import name_of, name_users
from integration.domain.metadata import join_story
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import Input, MoneyField, Text
from integration.rest.idempotency import idempotent
from integration.rest.views import View, staff_with


class ProposedUnitsOutput(serializers.Serializer):
    """Units of a line that a proposal refunds."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField()


class RefundProposalOutput(serializers.Serializer):
    """A refund above the limit, which a second person approves or refuses."""

    id = serializers.CharField()
    invoice = serializers.CharField(source="invoice_id")
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=RefundProposalStatus.choices)
    amount = MoneyField()
    lines = serializers.SerializerMethodField(help_text="The units to refund; empty if only an amount is refunded.")
    reason = serializers.CharField()
    proposed_by = serializers.SerializerMethodField(help_text="Who asked for the refund.")
    decided_by = serializers.SerializerMethodField(help_text="Who decided; null until somebody has.")
    decision = serializers.CharField(help_text="What the second person said.")
    refund = serializers.SerializerMethodField(help_text="The refund, once it is approved; null before.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(ProposedUnitsOutput(many=True))
    def get_lines(self, proposal: RefundProposal) -> list[dict[str, Any]]:
        return [{"sku": sku, "quantity": units} for sku, units in (proposal.units or {}).items()]

    def get_proposed_by(self, proposal: RefundProposal) -> str:
        return name_of(proposal.proposed_by)

    def get_decided_by(self, proposal: RefundProposal) -> str | None:
        return name_of(proposal.decided_by) if proposal.decided_by else None

    def get_refund(self, proposal: RefundProposal) -> str | None:
        return proposal.refund or None


class RefundApprovalInput(Input):
    """What a second person says when they approve."""

    note = Text(max_length=500, required=False, allow_blank=True, default="")


class RefundRefusalInput(Input):
    """Why a second person refuses."""

    reason = Text(max_length=500)


class RefundProposalFilter(django_filters.FilterSet):
    """Filters of the list of proposed refunds."""

    order = django_filters.CharFilter()
    invoice = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=RefundProposalStatus.choices)


class RefundProposals(View):
    """The list of proposed refunds."""

    permission_classes = (staff_with("billing.view_refundproposal"),)
    queryset: QuerySet[Any] = RefundProposal.objects.all()
    filterset_class = RefundProposalFilter
    serializer_class = RefundProposalOutput

    @extend_schema(responses=RefundProposalOutput(many=True))
    def get(self, request: Request) -> Response:
        """List proposed refunds, newest first."""
        page = self.page_of(self.get_queryset())
        name_users(who for proposal in page for who in (proposal.proposed_by, proposal.decided_by) if who)
        return self.get_paginated_response(RefundProposalOutput(page, many=True).data)


class OneRefundProposal(View):
    """One proposed refund."""

    permission_classes = (staff_with("billing.view_refundproposal"),)
    serializer_class = RefundProposalOutput

    @extend_schema(responses=RefundProposalOutput, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Retrieve a proposed refund."""
        proposal = queries.refund_proposal(id)
        join_story(proposal.correlation_id)
        return Response(RefundProposalOutput(proposal).data, headers=etag(proposal))


class ApproveRefund(View):
    """Approving a proposed refund."""

    permission_classes = (staff_with("billing.change_refundproposal"),)
    serializer_class = RefundApprovalInput

    @extend_schema(request=RefundApprovalInput, responses=RefundProposalOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Approve a proposed refund; 409 for the person who proposed it, or if somebody decided before."""
        approved = commands.approve_refund(id, **self.valid(request), if_version=versions_expected(request))
        return Response(RefundProposalOutput(approved).data, headers=etag(approved))


class RefuseRefund(View):
    """Refusing a proposed refund."""

    permission_classes = (staff_with("billing.change_refundproposal"),)
    serializer_class = RefundRefusalInput

    @extend_schema(request=RefundRefusalInput, responses=RefundProposalOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Refuse a proposed refund; 409 for the person who proposed it, or if somebody decided before."""
        refused = commands.refuse_refund(id, **self.valid(request), if_version=versions_expected(request))
        return Response(RefundProposalOutput(refused).data, headers=etag(refused))
