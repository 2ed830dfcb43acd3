-- One row: one site as it was last defined.
{sites}
