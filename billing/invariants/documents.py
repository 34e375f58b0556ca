"""Invariants of the documents of the books: invoices and credit notes, and their numbers."""

from datetime import timedelta

from integration.domain import clock
from integration.invariants import Check, always


@always("billing.document_numbers_have_no_gap")
def document_numbers_have_no_gap() -> Check:
    """The numbers of a series begin with 1, and none of them is missing or assigned twice."""
    return Check(
        rows="""
            (SELECT series, count(*) AS documents, count(DISTINCT position) AS numbers, max(position) AS highest,
                    count(DISTINCT number) AS texts, count(DISTINCT kind) AS kinds
             FROM billing_document WHERE position IS NOT NULL GROUP BY series
             UNION ALL
             SELECT 'invoices', count(*), count(DISTINCT position), max(position), count(*), 1
             FROM billing_invoice WHERE position >= 1 HAVING count(*) > 0) AS series
        """,
        what="""
            series.series || ': ' || series.documents || ' documents, ' || series.numbers || ' numbers, the highest is '
              || series.highest
        """,
        never={
            "a number is missing": "series.highest <> series.numbers",
            "a number is assigned twice": "series.numbers <> series.documents OR series.texts <> series.documents",
            "it has documents of two kinds": "series.kinds > 1",
        },
    )


@always("billing.confirmed_invoices_and_reductions_are_documented")
def confirmed_invoices_and_reductions_are_documented() -> Check:
    """A confirmed invoice is of one series, and its credit notes add up to all by which it was reduced.

    It has a place in the series itself, or a document of older code has one. Invoices that still older code settled are
    of the older series: their number is their identifier, and they have no documents.
    """
    return Check(
        rows="""
            billing_invoice AS invoice LEFT JOIN (
                SELECT invoice_id,
                       sum(CASE WHEN kind = 'invoice' THEN 1 ELSE 0 END) AS invoices,
                       sum(CASE WHEN kind = 'invoice' THEN amount_minor ELSE 0 END) AS total,
                       sum(CASE WHEN kind = 'credit_note' THEN amount_minor ELSE 0 END) AS noted,
                       min(currency) AS lowest, max(currency) AS highest
                FROM billing_document GROUP BY invoice_id
            ) AS documents ON documents.invoice_id = invoice.number
        """,
        what="""
            invoice.number || ': ' || coalesce(documents.invoices, 0) || ' invoices of '
              || coalesce(documents.total, 0) || ', reduced by '
              || invoice.refund_owed_minor + coalesce(invoice.released_minor, 0) || ', credit notes of '
              || coalesce(documents.noted, 0)
        """,
        never={
            "it is not one document": """
                coalesce(documents.invoices, 0) + CASE WHEN invoice.position IS NULL THEN 0 ELSE 1 END
                  <> CASE WHEN invoice.documented THEN 1 ELSE 0 END
            """,
            "the document has another total": """
                coalesce(documents.invoices > 0 AND documents.total <> invoice.total_minor, FALSE)
            """,
            "credit notes are missing": "invoice.noted_minor <> coalesce(documents.noted, 0)",
            "a reduction has no credit note": """
                invoice.documented
                  AND invoice.noted_minor <> invoice.refund_owed_minor + coalesce(invoice.released_minor, 0)
            """,
            "a document is in another currency": """
                coalesce(documents.lowest <> invoice.currency OR documents.highest <> invoice.currency, FALSE)
            """,
        },
    )


@always("billing.documents_get_their_numbers")
def documents_get_their_numbers() -> Check:
    """A document has a number within a day, and a credit note not before its invoice."""
    long_ago = f"'{(clock.now() - timedelta(days=1)):%Y-%m-%d %H:%M:%S}'"
    return Check(
        rows="""
            billing_document AS document LEFT JOIN billing_document AS initial
              ON initial.invoice_id = document.invoice_id AND initial.kind = 'invoice'
            LEFT JOIN billing_invoice AS invoice ON invoice.number = document.invoice_id
        """,
        what="document.id || ' (' || document.status || '): number ' || document.number",
        never={
            "it waits for its number": f"document.status = 'draft' AND document.created_at < {long_ago}",
            "the status is not what happened": "(document.status = 'numbered') <> (document.number <> '')",
            "its invoice has no number": """
                document.status = 'numbered' AND coalesce(initial.number, '') = '' AND coalesce(invoice.position, 0) = 0
            """,
        },
    )


@always("billing.invoices_get_their_numbers")
def invoices_get_their_numbers() -> Check:
    """A confirmed invoice has a number within a day, with a date of issue; nothing else has one."""
    long_ago = f"'{(clock.now() - timedelta(days=1)):%Y-%m-%d %H:%M:%S}'"
    return Check(
        rows="billing_invoice AS invoice",
        what="invoice.number || ' (' || invoice.status || '): place ' || invoice.position",
        never={
            "it waits for its number": f"coalesce(invoice.position, 1) = 0 AND invoice.updated_at < {long_ago}",
            "it has no date of issue": "coalesce(invoice.position, 0) >= 1 AND invoice.issued_at IS NULL",
            "it was never confirmed": """
                invoice.position IS NOT NULL AND invoice.status NOT IN ('paid', 'refunded', 'authorized')
                  AND invoice.authorized_minor IS NULL
            """,
        },
    )
