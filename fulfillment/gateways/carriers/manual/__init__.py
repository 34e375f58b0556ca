"""All carriers that Waybill cannot talk to."""
