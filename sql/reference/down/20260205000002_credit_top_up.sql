DROP FUNCTION complete_credit_top_up(uuid);
