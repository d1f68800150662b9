"""The command ``samrs publish``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import FOLDER


@click.command("publish")
@click.argument("version")
@click.option("--dry-run", is_flag=True, help="Print the plan, do nothing.")
@click.option(
    "--root", type=FOLDER, default=Path(), show_default="this folder", help="The repository."
)
@click.option("--storage", default="storage", show_default=True, help="DVC remote to push to.")
@click.option(
    "--git-remote", default="origin", show_default=True, help="It gets the commit and the tags."
)
@click.option("--pull-from", metavar="URL", help="Prove the pull from this address.")
@click.option(
    "--address", metavar="URL", help="Where the git host serves the files of the branch dvc."
)
@click.option("--terms-allow", is_flag=True, help="Say that all images' terms allow it.")
def command(
    version: str,
    dry_run: bool,
    root: Path,
    storage: str,
    git_remote: str,
    pull_from: str | None,
    address: str | None,
    terms_allow: bool,
) -> None:
    """Publish a release: prove it in a clone, then tag it.

    Where the DVC remote to push to has no address yet, the objects go to the branch dvc of the git
    remote, which GitHub, GitLab and Codeberg serve.

    VERSION is three numbers, such as 1.0.0. A failure at any step leaves the repository and its git
    remote as they were.
    """
    from samrs.publish.publish import Options, publish

    options = Options(storage, git_remote, pull_from, address, terms_allow)
    publish(root, version, options, dry_run=dry_run)
