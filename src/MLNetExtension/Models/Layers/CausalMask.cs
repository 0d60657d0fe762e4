using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Which keys each query may attend to: the one at its own position and those before it, all of them or the nearest only. B rows, T queries, S keys.</summary>
/// <param name="FirstQuery">Position of the first query.</param>
/// <param name="Queries">T; the last key stands at the position of the last query.</param>
/// <param name="FirstKey">Position of the first key.</param>
/// <param name="Window">How many positions a query attends to, its own included; null for all.</param>
internal readonly record struct CausalMask(long FirstQuery, long Queries, long FirstKey = 0, int? Window = null)
{
    /// <summary>Makes the mask as a tensor.</summary>
    /// <param name="device">Where it is needed.</param>
    /// <param name="firstReal">Position of each row's first token after its padding, [B] int64; null where no row is padded.</param>
    /// <returns>True where a query may attend to a key: [T,S], or [B,1,T,S] where rows are padded.</returns>
    public Tensor ToTensor(Device device, Tensor? firstReal = null)
    {
        long end = FirstQuery + Queries;
        Tensor queries = arange(Scalars.Of(FirstQuery), Scalars.Of(end), device: device).unsqueeze(1);                                     // [T,1]
        Tensor keys = arange(Scalars.Of(FirstKey), Scalars.Of(end), device: device).unsqueeze(0);                                          // [1,S]
        Tensor mask = keys.le(queries);                                                                            // [T,S]
        if (Window is not null)
            mask = mask.logical_and(keys.gt(queries - Scalars.Of(Window.Value)));
        if (firstReal is null)
            return mask;
        // A query in the padding attends to itself: a softmax over nothing is NaN. Its result is never used.
        Tensor isReal = keys.ge(firstReal.view(-1, 1, 1, 1));                                                      // [B,1,1,S]
        return mask.logical_and(isReal.logical_or(keys.eq(queries)));
    }
}
