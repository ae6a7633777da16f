"""What Playcast does: submit, dispatch, launch, tail, finish. Knows neither HTTP nor GraphQL."""
