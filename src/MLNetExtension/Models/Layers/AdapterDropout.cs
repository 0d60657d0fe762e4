using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The dropout of all adapters in a module.</summary>
internal sealed class AdapterDropout(nn.Module module)
{
    private nn.Module[]? _linears;    // known before their adapters are

    /// <summary>Restarts its random numbers.</summary>
    /// <param name="seed">The seed.</param>
    public void Reseed(long seed)
    {
        _linears ??= [.. module.modules().Where(child => child is AdaptableLinear or Linear)];
        for (int i = 0; i < _linears.Length; i++)
        {
            long next = unchecked(seed + (i + 1) * 0x1B873593CC9E2D51);
            foreach (LowRankAdapter adapter in _linears[i].children().OfType<LowRankAdapter>())
                adapter.ReseedDropout(unchecked(next++));
        }
    }
}
