"""Information on the right of withdrawal: the model instructions and the model form of the law.

Source: Directive 2011/83/EU, annex I, parts A and B. The German text is that of the Einführungsgesetz zum Bürgerlichen
Gesetzbuche, article 246a, Anlagen 1 and 2. A shop that grants more changes the texts.
"""

from django.conf import settings
from django.utils.translation import gettext as _


def information() -> tuple[str, ...]:
    """The paragraphs, in the active language."""
    names = {"contact": settings.DEFAULT_FROM_EMAIL}
    return (
        _("Right of withdrawal"),
        _(
            "You have the right to withdraw from this contract within 14 days without giving any reason. The "
            "withdrawal period will expire after 14 days from the day on which you acquire, or a third party "
            "other than the carrier and indicated by you acquires, physical possession of the last good."
        ),
        _(
            "To exercise the right of withdrawal, you must inform us (%(contact)s) of your decision to withdraw "
            "from this contract by an unequivocal statement, for example an e-mail. You may use the model "
            "withdrawal form below, but it is not obligatory. To meet the withdrawal deadline, it is sufficient "
            "for you to send your communication before the withdrawal period has expired."
        )
        % names,
        _(
            "If you withdraw, we shall reimburse to you all payments received from you, including the costs of "
            "delivery (except the supplementary costs if you chose a type of delivery other than the least "
            "expensive standard delivery offered by us), without undue delay and not later than 14 days from the "
            "day on which we are informed about your decision. We use the same means of payment as you used. We "
            "may withhold reimbursement until we have received the goods back or you have supplied evidence of "
            "having sent them back, whichever is the earliest. You shall send back the goods not later than 14 "
            "days after your decision. You will have to bear the direct cost of returning the goods. You are only"
            " liable for any diminished value that results from handling other than what is necessary to "
            "establish the nature, characteristics and functioning of the goods."
        ),
        _(
            "Model withdrawal form\nTo %(contact)s: I/We (*) hereby give notice that I/We (*) withdraw from "
            "my/our (*) contract of sale of the following goods (*). Ordered on (*) / received on (*). Name of "
            "consumer(s). Address of consumer(s). Date.\n(*) Delete as appropriate."
        )
        % names,
    )
