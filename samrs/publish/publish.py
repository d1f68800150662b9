"""Publish a release: `make release VERSION=1.0.0`, or

    samrs publish 1.0.0 [--dry-run] [--pull-from URL] [--terms-allow]

Everything is proven in a clone before a tag exists anywhere: a failure at any step leaves the
repository and its git remote as they were, and the run can be repeated. What was pushed to storage
by then is addressed by its content and shows nowhere. docs/releasing.md has the whole of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from samrs.card import card
from samrs.corrections.places import places
from samrs.publish import branch, changelog, checks, stranger, tags
from samrs.publish.artifacts import Artifact, figures, read_artifacts
from samrs.publish.repository import PublishError, Repository
from samrs.publish.storage import push_every_object
from samrs.publish.verification import verify_products

CARDS = "docs/cards"
CHANGELOG = "CHANGELOG.md"


@dataclass(frozen=True)
class Options:
    """How to publish.

    Args:
        storage: the dvc remote that is pushed to.
        git_remote: the git remote that gets commit and tags, where it exists.
        pull_from: address to pull from instead of the default remote's; None: the default's.
        address: where the git host serves the branch of objects; None: made of the git remote's.
        terms_allow: somebody has read the terms of all images, and they allow it.
    """

    storage: str = "storage"
    git_remote: str = "origin"
    pull_from: str | None = None
    address: str | None = None
    terms_allow: bool = False


class Release:
    """One release on its way; its methods are the steps, in this order."""

    def __init__(self, root: Path, version: str, folder: Path, options: Options) -> None:
        self.repository, self.options, self.folder = Repository(root), options, folder
        self.version = tags.check_version(version)
        self.artifacts = read_artifacts(root)
        self.tags = tags.release_tags(version, self.artifacts)

    @cached_property
    def clone(self) -> Repository:
        """What a stranger has; made on first use."""
        made = stranger.clone(self.repository.root, self.folder, self.options.pull_from)
        if self.branch_address is not None:
            remote = made.dvc("config", "core.remote")
            made.dvc("remote", "modify", remote, "url", self.branch_address)
        return made

    @cached_property
    def branch_address(self) -> str | None:
        """Where the git host will serve the objects; None where the storage has an address."""
        if checks.has_storage(self.repository, self.options.storage) or self.publish_to is None:
            return None
        fetched = self.repository.git("config", "--get", f"remote.{self.options.git_remote}.url")
        return self.options.address or branch.address(fetched)

    @cached_property
    def publish_to(self) -> str | None:
        """The address of the git remote; None without one."""
        if self.options.git_remote not in self.repository.git("remote").split():
            return None
        return self.repository.git("remote", "get-url", "--push", self.options.git_remote)

    def check(self) -> str:
        """tree, tags, remotes, terms, changelog and `dvc status` are in order"""
        self.branch = checks.check_tree(self.repository)
        self.commit = self.repository.git("rev-parse", "HEAD")
        tags.check_absent(self.repository, self.tags, self.publish_to)
        if self.branch_address is None:
            checks.check_remotes(self.repository, self.options.storage, self.options.pull_from)
        checks.check_terms(self.repository, self.options.terms_allow)
        log = (self.repository.root / CHANGELOG).read_text(encoding="utf-8")
        changelog.unreleased(log, self.version)
        checks.check_pipeline(self.repository)
        return f"branch {self.branch} at {self.commit[:12]}"

    def push(self) -> str:
        """dvc push to the storage"""
        return self.repository.dvc("push", "--remote", self.options.storage)

    def push_branch(self) -> str:
        """every object to the branch dvc of the git remote, which serves as public remote"""
        objects = self.folder / "objects"
        wanted, _ = push_every_object(self.repository.root, branch.BRANCH, str(objects))
        message = f"Objects of release {self.version}"
        branch.push_objects(self.repository, objects, str(self.publish_to), message)
        return f"{wanted} objects, read from {self.branch_address}"

    def push_again(self) -> str:
        """every object compared with the storage, no index believed; what it lacks is pushed"""
        wanted, pushed = push_every_object(self.repository.root, self.options.storage)
        return f"{wanted} objects, {pushed} of them pushed now"

    def pull(self) -> str:
        """clone, and dvc pull there from the default remote: no credentials, an empty cache"""
        return self.clone.dvc("pull")

    def verify(self) -> str:
        """every product of the clone against its manifest"""
        rows = verify_products(self.clone.root)
        return f"{len(rows)} products, {sum(rows.values())} rows"

    def write(self) -> str:
        """data cards and the changelog's entry, committed in the clone"""
        written = [self._card(a) for a in self.artifacts if a.type == "dataset"]
        path = self.clone.root / CHANGELOG
        published = {a: figures(self.clone.root, a) for a in self.artifacts}
        date = self.clone.git("show", "--no-patch", "--format=%cs", self.commit)
        text = path.read_text(encoding="utf-8")
        entry = changelog.with_release(text, self.version, date, published)
        path.write_text(entry, encoding="utf-8")
        for key in ("user.name", "user.email"):
            if (value := self.repository.config(key)) is not None:
                self.clone.git("config", key, value)
        self.clone.git("add", CHANGELOG, ".dvc/config", *written)
        self.clone.git("commit", "--quiet", "--message", f"Release {self.version}")
        return ", ".join([CHANGELOG, *written])

    def _card(self, artifact: Artifact) -> str:
        """Write an artifact's card; returns its path in the repository."""
        release = self.clone.root / artifact.path
        text = card(release, judged=places(release).metrics)
        path = self.clone.root / CARDS / f"{artifact.name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return f"{CARDS}/{path.name}"

    def tag(self) -> str:
        """the release's tag and the artifacts', in the clone"""
        tags.make_tags(self.clone, self.tags, self.version)
        return " ".join(self.tags)

    def publish(self) -> str:
        """commit and tags to the git remote, all or none, then into this repository"""
        if checks.check_tree(self.repository) != self.branch or self.commit != self.repository.git(
            "rev-parse", "HEAD"
        ):
            raise PublishError(
                f"{self.repository.root}: the branch moved on, got another HEAD than "
                f"{self.commit[:12]}; the one that was checked is allowed; run the release again"
            )
        if self.publish_to is not None:
            refs = [f"refs/tags/{tag}" for tag in self.tags]
            head = f"HEAD:refs/heads/{self.branch}"
            self.clone.git("push", "--quiet", "--atomic", self.publish_to, head, *refs)
        self._take_over()
        if self.publish_to is None:
            return f"no git remote {self.options.git_remote}: push {self.branch} and the tags"
        return self.publish_to

    def _take_over(self) -> None:
        """Commit and tags from the clone into the repository."""
        refs = [f"refs/tags/{tag}:refs/tags/{tag}" for tag in self.tags]
        source = str(self.clone.root)
        self.repository.git("fetch", "--quiet", "--atomic", "--no-tags", source, *refs)
        try:
            self.repository.git("merge", "--quiet", "--ff-only", self.tags[0])
        except PublishError:
            if self.publish_to is None:
                self.repository.git("tag", "--delete", *self.tags)
            raise

    @property
    def steps(self) -> list[Callable[[], str]]:
        """What is done, in order; each step says what it is in its docstring."""
        pushed = [self.push, self.push_again]
        return [
            self.check,
            *(pushed if self.branch_address is None else [self.push_branch]),
            self.pull,
            self.verify,
            self.write,
            self.tag,
            self.publish,
        ]

    def plan(self) -> str:
        """The steps and what they concern, as text."""
        lines = [f"release {self.version} of {self.repository.root}"]
        lines += [f"{n}. {_name(s)}: {s.__doc__}" for n, s in enumerate(self.steps, 1)]
        lines += [f"artifact {a.name}: {a.path} ({a.type})" for a in self.artifacts]
        lines += [f"tags: {' '.join(self.tags)}"]
        lines += [f"push to: {self.branch_address or self.options.storage}"]
        lines += [f"pull from: {self.options.pull_from or 'the default remote'}"]
        lines += [f"git remote: {self.publish_to or 'none, tags stay here'}"]
        return "\n".join(lines)


def _name(step: Callable[[], str]) -> str:
    return step.__name__.replace("_", " ")


def publish(root: Path, version: str, options: Options, *, dry_run: bool = False) -> None:
    """Publish a release, or with ``dry_run`` print what would be done.

    Args:
        options: remotes, mirror and terms.

    Raises:
        SamrsError: a step failed; no tag exists and no commit was added.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        release = Release(root.resolve(), version, Path(folder), options)
        if dry_run:
            print(release.plan())
            return
        for number, step in enumerate(release.steps, 1):
            print(f"{number}/{len(release.steps)} {_name(step)}: {step.__doc__}", flush=True)
            if said := step():
                print(f"    {said.splitlines()[-1]}", flush=True)
