"""Star runs: each user for themselves."""

from django.contrib.auth.models import User

from runs.models import Favorite, Run


def toggle(*, run: Run, by: User) -> bool:
    """Star `run` for `by`, or take the star off; return whether it is starred now."""
    removed, _ = Favorite.objects.filter(user=by, run=run).delete()
    if not removed:
        Favorite.objects.get_or_create(user=by, run=run)
    return not removed
