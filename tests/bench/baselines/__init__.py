"""The baselines: plain programs that do the same work as Waybill without its guarantees."""
