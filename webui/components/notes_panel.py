"""A run's tags and notes, and the forms that change them: `webui.pages.run_actions` does what their buttons say."""

from core.records.run import Run
from webui.present import esc, own


def notes_panel(run: Run, may_change: bool) -> str:
    """Tags with a way to remove each and to add one; the notes as a text to edit."""
    if not may_change:
        tags = "".join(f'<span class="tag">{own(word)}</span>' for word in run.tags)
        notes = f'<p class="notes">{own(run.notes)}</p>' if run.notes else '<p class="soft">No notes.</p>'
        return f'<div class="tags">{tags}</div>{notes}'
    tags = "".join(
        f'<span class="tag" data-key="tag-{esc(word)}">{own(word)}<button type="button" data-trigger="apply" '
        f'data-id="untag:{esc(word)}" aria-label="Remove tag {esc(word)}">×</button></span>'
        for word in run.tags
    )
    return (
        f'<div class="tags">{tags}<span data-form class="inline-form"><input name="tag" maxlength="40" '
        'placeholder="Add a tag" aria-label="Add a tag">'
        '<button type="button" class="small-button" data-trigger="apply" data-id="tag">Add</button></span></div>'
        '<div data-form class="note-form"><textarea name="notes" rows="4" maxlength="20000" aria-label="Notes" '
        f'placeholder="What you tried and what you saw">{esc(run.notes)}</textarea>'
        '<button type="button" class="small-button" data-trigger="apply" data-id="notes">Save notes</button></div>'
    )
