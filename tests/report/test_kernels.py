from __future__ import annotations

import cards
import pytest

from chainer_style.engines.cuda import kernels as own
from chainer_style.report import kernels


@pytest.mark.parametrize(
    ("name", "group"),
    [
        (
            "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize"
            "128x64x16_stage4_warpsize2x2x1_g1_tensor16x8x8_kernel_cudnn",
            kernels.FORTH,
        ),
        (
            "void cutlass__5x_cudnn::Kernel<cutlass_tensorop_s1688dgrad_optimized_tf32"
            "_64x64_16x6_nhwc_align4>(cutlass_tensorop_s1688dgrad_optimized_tf32)",
            kernels.BACK,
        ),
        ("void implicit_convolve_sgemm<float, float, 1024, 5, 5>(int)", kernels.FORTH),
        ("void cudnn::winograd_nonfused::winogradForwardFilter4x4<f>", kernels.FORTH),
        ("conv3x3_backward_tf32", kernels.BACK),
        ("conv_forward_first", kernels.FORTH),
        ("nvjet_tst_128x64_64x10_2x1_v_bz_TNT", kernels.GRAM),
        ("sm80_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize128x128", kernels.GRAM),
        ("gram_partial_sums", kernels.GRAM),
        ("void at::native::elementwise_kernel<128, 2, (lambda)>", kernels.POINTWISE),
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor"
            "<float>, std::array<char*, 1ul>>(int, at::native::FillFunctor<float>)",
            kernels.MOVES,
        ),
        (
            "void at::native::(anonymous namespace)::avg_pool2d_out_cuda_frame_nhwc<f>",
            kernels.POOLING,
        ),
        ("avg_pool2d_backward_out_cuda_frame", kernels.POOLING),
        (
            "void at::native::(anonymous namespace)::multi_tensor_apply_kernel<at::nati"
            "ve::FusedAdamMathFunctor<float, 4>>",
            kernels.UPDATE,
        ),
        ("adam_and_clip", kernels.UPDATE),
        ("void cudnn::ops::nchwToNhwcKernel<float, float, float>", kernels.LAYOUT),
        ("void convertTensor_kernel<float>", kernels.LAYOUT),
        ("im2col_gpu", kernels.LAYOUT),
        (
            "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float>>",
            kernels.REDUCE,
        ),
        ("triton_per_fused_mean_2", kernels.REDUCE),
        ("triton_poi_fused_relu_1", kernels.POINTWISE),
        ("content_loss", kernels.LOSSES),
        ("Memcpy DtoD (Device -> Device)", kernels.MOVES),
        ("Memset (Device)", kernels.MOVES),
        ("unknown", kernels.OTHER),
    ],
)
def test_what_a_kernel_does_is_told_by_its_name(name, group):
    assert kernels.group(name) == group
    assert group in kernels.GROUPS


CONVOLUTIONS = {
    "first": kernels.FORTH,
    "first_back": kernels.BACK,
    "conv_64": kernels.FORTH,
    "conv_64_back": kernels.BACK,
}


@pytest.mark.parametrize("name", own.signatures())
def test_every_kernel_of_engine_cuda_has_a_group(name):
    found = kernels.group(name)
    assert found != kernels.OTHER
    assert CONVOLUTIONS.get(name) == (
        found if found in (kernels.FORTH, kernels.BACK) else None
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("plain_kernel", "plain_kernel"),
        ("void im2col_gpu(float const*, int)", "im2col_gpu"),
        ("Memcpy DtoD (Device -> Device)", "Memcpy DtoD"),
    ],
)
def test_short_names(name, short):
    assert kernels.short(name) == short
    long = kernels.short("x" * 100)
    assert len(long) == kernels.LONGEST
    assert long.endswith("…")


def test_short_names_say_what_a_general_kernel_is_for():
    name = "void cutlass__5x_cudnn::Kernel<sm80_fprop_optimized_tf32>(Params)"
    assert "sm80_fprop_optimized_tf32" in kernels.short(name)


def test_a_record(tmp_path):
    folder = cards.write(tmp_path, cards.traces(size=64), cards.traces())
    found, skipped = kernels.read(folder)
    assert skipped == []
    assert [trace.size for trace in found] == [64, 128]
    trace = found[0]
    assert trace.name == "cuda"
    assert trace.seconds == 0.001
    assert trace.gaps == pytest.approx(0.0002)
    assert trace.launches == 27
    assert trace.groups == {
        kernels.FORTH: 0.0004,
        kernels.BACK: 0.0003,
        kernels.GRAM: 0.0001,
        kernels.OTHER: 0.00005,
    }


def test_a_damaged_record_is_named(tmp_path):
    bad = cards.traces()
    bad["contenders"][0]["kernels"] = []
    folder = cards.write(tmp_path, bad)
    found, skipped = kernels.read(folder)
    assert not found
    assert "lacks times" in skipped[0]
