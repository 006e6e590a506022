"""The network that sees the whole page: tiles equal the page, and its options are checked."""

import pytest
import torch
from torch.nn import functional as F

from pagewash.models.page_autoencoder import (
    BLOCK,
    SUMMARY_CHANNELS,
    PageAutoencoder,
    PageAutoencoderOptions,
    combine,
    detail,
    luminance,
)

SMALL = PageAutoencoderOptions(
    channels=(8, 8, 8, 8), layers=(1, 2, 1, 1), context_channels=(8, 8, 8), features=4
)


def network(options=SMALL):
    torch.manual_seed(0)
    made = PageAutoencoder(options).eval()
    for part in (made.context.features, made.context.paper, made.tiles.head):
        torch.nn.init.normal_(part.weight, std=0.2)  # zero at first, so that all is left alone
    return made


def summary(rows, columns):
    blocks = torch.rand(1, SUMMARY_CHANNELS, rows, columns)
    blocks[:, -1] = 1
    return blocks


@torch.no_grad()
def test_a_tile_with_its_halo_equals_the_same_part_of_the_page():
    made = network()
    rows, columns = 26, 40
    page = torch.rand(1, 3, rows * BLOCK, columns * BLOCK)
    features = made.context(summary(rows, columns)).features
    whole = made.tiles(page, features)
    halo = -(-made.receptive_radius // made.stride) * made.stride
    first, last = halo, rows * BLOCK - halo  # rows of the core
    assert last - first >= BLOCK
    top, bottom = 0, rows * BLOCK
    left, right = 2 * made.stride, 2 * made.stride + 2 * halo + 2 * BLOCK
    part = made.tiles(
        page[..., top:bottom, left:right],
        features[..., top // BLOCK : bottom // BLOCK, left // BLOCK : right // BLOCK],
    )
    core = whole[..., first:last, left + halo : right - halo]
    assert torch.allclose(part[..., first:last, halo:-halo], core, atol=1e-5)


def test_nothing_beyond_the_receptive_radius_changes_a_pixel_and_it_is_no_wider_than_need_be():
    made = network()
    side = 2 * made.stride * (-(-made.receptive_radius // made.stride) + 2)
    page = torch.rand(1, 3, side, side, requires_grad=True)
    features = torch.zeros(1, SMALL.features, side // BLOCK, side // BLOCK)
    answer, furthest = made.tiles(page, features), 0
    for pixel in range(side // 2, side // 2 + made.stride):  # what is seen hangs on where in a cell
        told = torch.autograd.grad(answer[0, :, pixel, pixel].sum(), page, retain_graph=True)
        seen = told[0].abs().sum((0, 1)).nonzero()
        furthest = max(furthest, int((seen - pixel).abs().max()))
    assert furthest == made.receptive_radius


@torch.no_grad()
def test_a_new_network_takes_the_brightest_of_each_block_for_its_paper():
    made = PageAutoencoder(SMALL).eval()
    blocks = summary(4, 4)
    blocks[:, 3:6] = torch.tensor([0.9, 0.7, 0.5]).view(1, 3, 1, 1)  # the brightest of each block
    paper = made.context(blocks).paper
    assert torch.allclose(paper, blocks[:, 3:6], atol=0.01)


@torch.no_grad()
def test_grey_pages_get_the_maps_of_one_channel():
    maps, x = torch.randn(4, 2, 1, 8, 8).unbind(), torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8)
    in_colour, in_grey = combine(maps, x), combine(maps, x[:, :1])
    for colour, grey in zip(in_colour, in_grey, strict=True):  # at another size each counts alone
        assert torch.allclose(colour, grey, atol=1e-5)


@torch.no_grad()
def test_faded_colours_can_come_back_stronger_than_they_are():
    faded = torch.tensor([0.9, 0.7, 0.7]).view(1, 3, 1, 1)
    darker_and_more_colour = torch.tensor([9.0, -0.2, 0.0, 4.0])
    maps = darker_and_more_colour.view(4, 1, 1, 1, 1).unbind()
    gain, offset = combine(maps, faded)
    cleaned = gain * faded + offset
    assert luminance(cleaned).item() == pytest.approx(luminance(faded).item() - 0.2, abs=1e-3)
    assert (cleaned[0, 0] - cleaned[0, 1]).item() == pytest.approx(0.6, abs=1e-2)


def test_luminance_of_grey_is_grey_and_detail_of_a_plane_is_nothing():
    x = torch.rand(1, 1, 5, 7).expand(1, 3, 5, 7)
    assert torch.allclose(luminance(x), x[:, :1])
    ramp = torch.arange(7.0).expand(1, 1, 5, 7)
    assert torch.allclose(detail(ramp)[..., 1:-1], torch.zeros(1, 1, 5, 5))
    assert torch.allclose(detail(x), x - _mean_of_neighbours(x), atol=1e-6)


def _mean_of_neighbours(x):
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).view(1, 1, 3, 3) / 4
    return F.conv2d(padded, kernel.expand(3, 1, 3, 3), groups=3)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (33, 17)])
def test_the_context_network_takes_pages_of_any_size(shape):
    context = network().context(summary(*shape))
    assert context.features.shape == (1, 4, *shape)
    assert context.paper.shape == (1, 3, *shape)


@torch.no_grad()
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_page_is_told_the_same_of_its_blocks(quarters):
    made = network()
    lying = summary(13, 22)
    turned = made.context(lying.rot90(quarters, (2, 3)))
    for said, again in zip(made.context(lying), turned, strict=True):
        assert torch.allclose(said.rot90(quarters, (2, 3)), again, atol=1e-5)


@torch.no_grad()
def test_the_context_network_sees_the_whole_page():
    made = network()
    here = summary(40, 40)
    there = here.clone()
    there[0, :3, -1, -1] = 1 - there[0, :3, -1, -1]
    assert not torch.equal(
        made.context(here).features[..., 0, 0], made.context(there).features[..., 0, 0]
    )


@pytest.mark.parametrize(
    "wrong",
    [{"patch": 0}, {"layers": (1,)}, {"channels": (8, 8), "layers": (1, 1)}, {"features": 0}],
)
def test_a_shape_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|needs|no level|has channels"):
        PageAutoencoderOptions(**wrong)


def test_a_tile_of_another_size_than_the_stride_is_refused():
    made = network()
    with pytest.raises(ValueError, match="multiples of 32"):
        made.tiles(torch.rand(1, 3, 40, 64), torch.rand(1, 4, 2, 4))


def test_multiply_adds_are_those_of_all_convolutions():
    options = PageAutoencoderOptions(
        channels=(8, 8, 8), layers=(1, 1, 1), context_channels=(8,), features=4
    )
    stem, outer = 48 * 8 * 9 / 16, 2 * 8 * 8 * 9 / 16
    inner = 2 * 8 * 8 * 9 / 64 + 8 * 8 * 9 / 256
    between = 2 * (8 * 8 * 4 / 64 + 8 * 8 * 4 / 256)
    head, told = 8 * 64 * 9 / 16, 4 * 8 / 256
    look = (9 * 8 * 9 + 8 * 8 * 9 + 8 * 4 + 8 * 3) / 256 + 8 * 8 / 512**2
    expected = stem + outer + inner + between + head + told + 4 * look
    assert PageAutoencoder(options).macs_per_pixel == pytest.approx(expected)
