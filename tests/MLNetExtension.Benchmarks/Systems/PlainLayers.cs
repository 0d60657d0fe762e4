using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>A frozen matrix with a low-rank adapter: x W' + (x A') B' s, [...,inputs] to [...,outputs].</summary>
internal sealed class PlainLoraLinear : nn.Module<Tensor, Tensor>
{
    private readonly double _scale;
    private readonly Parameter weight, lora_A, lora_B;

    public PlainLoraLinear(long inputs, long outputs, LoraOptions adapters)
        : base(nameof(PlainLoraLinear))
    {
        _scale = adapters.Scale;
        weight = nn.Parameter(empty(outputs, inputs), requires_grad: false);
        lora_A = nn.Parameter(empty(adapters.Rank, inputs));
        lora_B = nn.Parameter(empty(outputs, adapters.Rank));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) =>
        nn.functional.linear(input, weight) + nn.functional.linear(nn.functional.linear(input, lora_A), lora_B) * _scale;
}

/// <summary>x / sqrt(mean(x^2) + epsilon) * weight, whose weight is frozen.</summary>
internal sealed class PlainRmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly double _epsilon;
    private readonly Parameter weight;

    public PlainRmsNorm(LlamaConfiguration configuration)
        : base(nameof(PlainRmsNorm))
    {
        _epsilon = configuration.NormEpsilon;
        weight = nn.Parameter(empty(configuration.Width), requires_grad: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => input * (input.pow(2).mean([-1], keepdim: true) + _epsilon).rsqrt() * weight;
}

/// <summary>Rotary positions: x cos + rotate_half(x) sin, with tables for the whole context. [B,heads,T,D] to the same.</summary>
internal sealed class Rotation : IDisposable
{
    private readonly Tensor _cosines, _sines;       // [context,D]

    public Rotation(LlamaConfiguration configuration, Device device)
    {
        using var scope = NewDisposeScope();
        long width = configuration.HeadWidth;
        Tensor frequencies = pow(configuration.RotaryBase, arange(0, width, 2, dtype: float64) * (-1.0 / width));       // [D/2]
        Tensor angles = outer(arange(configuration.ContextLength, dtype: float64), frequencies);                       // [context,D/2]
        Tensor both = cat([angles, angles], 1);
        _cosines = both.cos().to(float32, device).DetachFromDisposeScope();
        _sines = both.sin().to(float32, device).DetachFromDisposeScope();
    }

    public Tensor Apply(Tensor heads)
    {
        long length = heads.shape[2], half = heads.shape[3] / 2;
        Tensor rotated = cat([-heads.narrow(3, half, half), heads.narrow(3, 0, half)], 3);
        return heads * _cosines.narrow(0, 0, length) + rotated * _sines.narrow(0, 0, length);
    }

    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }
}
