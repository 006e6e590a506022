"""The autoencoder's other uses: figures by hand, and a classifier that learns."""

import numpy as np
import pytest
import torch
from corpora import write_font
from networks import small_network

from pagewash.evaluation import linear_probe as probing
from pagewash.evaluation import out_of_distribution
from pagewash.evaluation.linear_probe import balanced_accuracy, fit_head, labelled_crops
from pagewash.evaluation.other_uses import precision_at_1, roc_auc
from pagewash.training.synthesis.fonts import find_typefaces


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return find_typefaces([write_font(tmp_path_factory.mktemp("fonts"))])


def test_roc_auc_is_the_share_of_pairs_in_the_right_order():
    assert roc_auc([1, 2], [3, 4]) == 1
    assert roc_auc([1, 4], [2, 5]) == 0.75
    assert roc_auc([1, 1], [1]) == 0.5


def test_precision_at_1_is_the_share_of_queries_that_find_their_page():
    embeddings = np.eye(4, dtype=np.float32)
    assert precision_at_1(embeddings, embeddings) == 1
    assert precision_at_1(embeddings, embeddings[[0, 1, 3, 2]]) == 0.5


def test_labelled_crops_are_the_same_every_time_and_suffer_what_they_say(faces):
    crops, labels = labelled_crops(1, 40, faces)
    again, _ = labelled_crops(1, 40, faces)
    assert torch.equal(crops, again)
    assert crops.shape == (40, 1, probing.SIDE, probing.SIDE)
    assert 0.15 < float(labels.mean()) < 0.45
    noisy = labels[:, probing.DAMAGE.index("gaussian")] > 0
    grain = (crops[..., 1:].float() - crops[..., :-1].float()).abs().median(3)[0].median(2)[0][:, 0]
    assert grain[noisy].median() > grain[~noisy].median()


def test_a_classifier_learns_its_crops_on_an_encoder_that_stays_as_it_is(faces):
    encoder = small_network()
    before = [value.clone() for value in encoder.parameters()]
    crops, labels = labelled_crops(2, 24, faces)
    assert balanced_accuracy(fit_head(encoder, crops, labels), crops, labels) > 0.8
    assert all(map(torch.equal, encoder.parameters(), before))


def test_strange_pages_have_ink_where_they_should():
    rng = np.random.default_rng(0)
    makers = (
        out_of_distribution.music_page,
        out_of_distribution.map_page,
        out_of_distribution.graph_page,
    )
    for clean_page in (make(rng, 416, 352) for make in makers):
        assert clean_page.ink.shape == (416, 352)
        assert 0.005 < clean_page.ink.mean() < 0.5
    assert not out_of_distribution.blank_page(200, 160).ink.any()
    picture = np.linspace(0, 1, 90, dtype=np.float32)[None].repeat(80, 0)
    assert 0.2 < out_of_distribution.filled_page(rng, 200, 160, picture).picture.mean() < 0.8
