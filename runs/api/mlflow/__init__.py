"""The MLflow dialect: the tracking part of its REST API 2.0, so that its clients log here unchanged."""
