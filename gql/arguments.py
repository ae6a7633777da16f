"""Arguments that several fields take, each with its description."""

from typing import Annotated

import strawberry

First = Annotated[int | None, strawberry.argument(description="Most rows of the page, 1 to 100; null for the default.")]
AfterRow = Annotated[
    str | None,
    strawberry.argument(description="The page starts after the row with this cursor; null for the first page."),
]
AfterEvent = Annotated[
    str | None, strawberry.argument(description="Events after this cursor (exclusive); null for the first one on.")
]
AfterLog = Annotated[
    str | None, strawberry.argument(description="Text after this cursor (exclusive); null for the beginning.")
]
MaxBytes = Annotated[
    int | None,
    strawberry.argument(description="Most bytes of the page, 1 to 1048576, in a list to 65536; null for the default."),
]
Last = Annotated[
    bool | None,
    strawberry.argument(description="True: the end of the log, at most `maxBytes` of it, instead of `after`."),
]
AnyId = Annotated[strawberry.ID, strawberry.argument(description="Global id; a bare number would not say of what.")]
JobId = Annotated[strawberry.ID, strawberry.argument(description="Global id of the job, or its number.")]
JobIds = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Global ids or numbers of at most 1000 jobs; null for every job."),
]
ServerId = Annotated[strawberry.ID, strawberry.argument(description="Global id of the server, or its number.")]
RecipeName = Annotated[
    str, strawberry.argument(description="Path of the playbook below `playbooks/`, without its ending.")
]
