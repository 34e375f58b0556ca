"""What Waybill is measured beside: plain programs that do the same business and promise nothing."""
