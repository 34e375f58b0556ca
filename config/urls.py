"""Every URL of Waybill."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

import billing.api.export  # noqa: F401 - registers what billing holds on a buyer
import fulfillment.api.export  # noqa: F401 - registers what fulfillment holds on a buyer
from billing.api import (
    call_backs,
    disputes,
    evidence,
    invoices,
    payment_config,
    payment_methods,
    refund_proposals,
    refunds,
    sandbox,
)
from config.metrics import serving
from fulfillment.api import call_backs as carriers
from fulfillment.api import printing, returns, shipments, tracking
from integration.admin.home.view import home
from integration.admin.login import login, password_change
from integration.admin.scanning import scan_view
from integration.admin.search import search_view
from integration.admin.second_factor import second_factor
from integration.rest import consumers, deliveries, feed, health, routes  # noqa: F401 - routes registers the path converters
from integration.rest import webhooks as hooks
from integration.rest.docs import Docs
from integration.rest.schema import made_once
from integration.rest.tokens import CurrentToken, Tokens
from inventory import api as inventory
from ordering.api import (
    cancellation,
    carts,
    customers,
    export,
    guests,
    holds,
    orders,
    products,
    retry,
    timeline,
    vouchers,
    withdrawal,
)

v1 = [
    path("auth/tokens", Tokens.as_view(), name="tokens"),
    path("auth/tokens/current", CurrentToken.as_view(), name="current-token"),
    path("customers", customers.Customers.as_view(), name="customers"),
    path("me", customers.Me.as_view(), name="me"),
    path("me/export", export.Export.as_view(), name="export"),
    path("products", products.Products.as_view(), name="products"),
    path("products/<sku:sku>", products.OneProduct.as_view(), name="product"),
    path("carts", carts.Carts.as_view(), name="carts"),
    path("carts/<uuid:id>", carts.OneCart.as_view(), name="cart"),
    path("carts/<uuid:id>/items/<sku:sku>", carts.CartItem.as_view(), name="cart-item"),
    path("carts/<uuid:id>/shipping-address", carts.CartAddress.as_view(), name="cart-address"),
    path("carts/<uuid:id>/shipping-option", carts.CartOption.as_view(), name="cart-option"),
    path("carts/<uuid:id>/vouchers/<code:code>", carts.CartVoucher.as_view(), name="cart-voucher"),
    path("carts/<uuid:id>/claim", carts.ClaimCart.as_view(), name="claim-cart"),
    path("carts/<uuid:id>/checkout", carts.Checkout.as_view(), name="checkout"),
    path("orders/lookup", guests.Lookup.as_view(), name="lookup"),
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<number:number>", orders.OneOrder.as_view(), name="order"),
    path("orders/<number:number>/timeline", timeline.Timeline.as_view(), name="timeline"),
    path("orders/<number:number>/withdraw", withdrawal.Withdraw.as_view(), name="withdraw"),
    path("orders/<number:number>/cancel", cancellation.Cancel.as_view(), name="cancel"),
    path("vouchers", vouchers.Vouchers.as_view(), name="vouchers"),
    path("vouchers/<sku:code>", vouchers.OneVoucher.as_view(), name="voucher"),
    path("orders/<number:number>/payments", retry.Payments.as_view(), name="payments-of-order"),
    path("orders/<number:number>/claim", guests.ClaimOrder.as_view(), name="claim-order"),
    path("orders/<number:number>/holds", holds.Holds.as_view(), name="holds"),
    path("orders/<number:number>/holds/<number:id>", holds.OneHold.as_view(), name="hold"),
    path("stock", inventory.Stock.as_view(), name="stock"),
    path("stock/<sku:sku>", inventory.OneStockItem.as_view(), name="stock-item"),
    path("stock/<sku:sku>/receipts", inventory.Receipts.as_view(), name="receipts"),
    path("stock/<sku:sku>/adjustments", inventory.Adjustments.as_view(), name="adjustments"),
    path("stock/<sku:sku>/quarantine", inventory.Quarantine.as_view(), name="quarantine"),
    path("stock/<sku:sku>/movements", inventory.Movements.as_view(), name="movements"),
    path("webhooks/payments/<slug:provider_name>", call_backs.CallBacks.as_view(), name="call-backs"),
    path("payment-config", payment_config.PaymentConfig.as_view(), name="payment-config"),
    path("payment-methods", payment_methods.PaymentMethods.as_view(), name="payment-methods"),
    path("payment-methods/<code:id>", payment_methods.OnePaymentMethod.as_view(), name="payment-method"),
    path("invoices", invoices.Invoices.as_view(), name="invoices"),
    path("invoices/<number:number>", invoices.OneInvoice.as_view(), name="invoice"),
    path("invoices/<number:number>/refunds", refunds.Refunds.as_view(), name="refunds"),
    path("disputes", disputes.Disputes.as_view(), name="disputes"),
    path("disputes/<slug:id>/evidence", evidence.Evidence.as_view(), name="evidence"),
    path("refund-proposals", refund_proposals.RefundProposals.as_view(), name="refund-proposals"),
    path("refund-proposals/<number:id>", refund_proposals.OneRefundProposal.as_view(), name="refund-proposal"),
    path("refund-proposals/<number:id>/approve", refund_proposals.ApproveRefund.as_view(), name="approve-refund"),
    path("refund-proposals/<number:id>/refuse", refund_proposals.RefuseRefund.as_view(), name="refuse-refund"),
    path("refunds/<number:id>", refunds.OneRefund.as_view(), name="refund"),
    path("payments/<number:id>", refunds.OnePayment.as_view(), name="payment"),
    path("sandbox/payments/<number:id>/<slug:what>", sandbox.SandboxPayment.as_view(), name="sandbox-payment"),
    path("shipments", shipments.Shipments.as_view(), name="shipments"),
    path("shipments/<number:id>", shipments.OneShipment.as_view(), name="shipment"),
    path("shipments/<number:id>/dispatch", shipments.Dispatch.as_view(), name="dispatch"),
    path("returns", returns.Returns.as_view(), name="returns"),
    path("returns/<number:id>", returns.OneReturn.as_view(), name="return"),
    path("returns/<number:id>/approve", returns.Approve.as_view(), name="approve-return"),
    path("returns/<number:id>/refuse", returns.Refuse.as_view(), name="refuse-return"),
    path("returns/<number:id>/receive", returns.Receive.as_view(), name="receive-return"),
    path("shipments/<number:id>/label", printing.LabelPage.as_view(), name="label"),
    path("shipments/<number:id>/packing-slip", printing.PackingSlip.as_view(), name="packing-slip"),
    path("shipments/<number:id>/deliver", tracking.Deliver.as_view(), name="deliver"),
    path("shipments/<number:id>/fail", tracking.Fail.as_view(), name="fail"),
    path("shipments/<number:id>/return-to-sender", tracking.ReturnToSender.as_view(), name="return-to-sender"),
    path("shipments/<number:id>/lose", tracking.Lose.as_view(), name="lose"),
    path("shipments/<number:id>/resolve", tracking.Resolve.as_view(), name="resolve"),
    path("webhooks/carriers/<slug:carrier_name>", carriers.CarrierCallBacks.as_view(), name="carrier-call-backs"),
    path("consumers", consumers.Consumers.as_view(), name="consumers"),
    path("consumers/<wirename:name>/pause", consumers.Pause.as_view(), name="pause"),
    path("consumers/<wirename:name>/resume", consumers.Resume.as_view(), name="resume"),
    path("feed", feed.Feed.as_view(), name="feed"),
    path("events/catalog", feed.Catalog.as_view(), name="catalog"),
    path("webhook-endpoints", hooks.Endpoints.as_view(), name="webhook-endpoints"),
    path("webhook-endpoints/<uuid:id>", hooks.OneEndpoint.as_view(), name="webhook-endpoint"),
    path("webhook-endpoints/<uuid:id>/test", hooks.Test.as_view(), name="test-endpoint"),
    path("webhook-endpoints/<uuid:id>/rotate-secret", hooks.RotateSecret.as_view(), name="rotate-secret"),
    path("webhook-endpoints/<uuid:id>/replay", hooks.ReplayEvents.as_view(), name="replay-to-endpoint"),
    path("webhook-endpoints/<uuid:id>/attempts", hooks.Attempts.as_view(), name="attempts"),
    path("deliveries", deliveries.Deliveries.as_view(), name="deliveries"),
    path("deliveries/replay", deliveries.Replay.as_view(), name="replay"),
    path("deliveries/<int:id>", deliveries.OneDelivery.as_view(), name="delivery"),
    path("deliveries/<int:id>/replay", deliveries.ReplayOne.as_view(), name="replay-one"),
    path("deliveries/<int:id>/skip", deliveries.Skip.as_view(), name="skip"),
]

urlpatterns = [
    path("", RedirectView.as_view(url="/api/docs")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", serving.metrics),
    path("admin/", home),
    path("admin/login/", login),
    path("admin/password_change/", password_change),
    path("admin/second-factor/", second_factor, name="second-factor"),
    path("admin/scan/", admin.site.admin_view(scan_view), name="scan"),
    path("admin/search/", admin.site.admin_view(search_view), name="search"),
    path("admin/", admin.site.urls),
    path("api/v1/", include(v1)),
    path("api/schema", made_once(SpectacularAPIView.as_view()), name="schema"),
    path("api/docs", Docs.as_view(url_name="schema"), name="docs"),
]

if settings.EMAIL_BACKEND.startswith("anymail."):
    urlpatterns.append(path("mail/", include("anymail.urls")))  # reports of bounces

handler400 = "integration.rest.problems.bad_request"
handler404 = "integration.rest.problems.not_found"
handler500 = "integration.rest.problems.server_error"
