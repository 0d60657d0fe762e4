using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>
/// Converts a model to the precision that it trains in, and back when training ends. Meanwhile the flat parameters keep its trained weights in full precision, and this scope those that are
/// frozen. A model whose frozen weights are in half precision already stays as it is: its adapters have a precision of their own.
/// </summary>
internal sealed class PrecisionScope : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly bool _half;
    private readonly Dictionary<string, Tensor> _masters = [];

    /// <summary>Converts the model.</summary>
    /// <param name="model">The model; it stays its owner's.</param>
    /// <param name="precision">What it computes in.</param>
    public PrecisionScope(CausalLanguageModel model, ComputePrecision precision)
    {
        _model = model;
        _half = precision == ComputePrecision.BFloat16 && !model.parameters().Any(parameter => !parameter.requires_grad && parameter.dtype == ScalarType.BFloat16);
        if (!_half)
            return;
        using var scope = NewDisposeScope();    // or the weights in full precision would live as long as the caller's scope
        foreach ((string name, Parameter parameter) in model.named_parameters())
            _masters[name] = parameter.detach().clone().DetachFromDisposeScope();
        model.to(ScalarType.BFloat16);
    }

    /// <summary>Copies the weights as they were before rounding to the flat parameters.</summary>
    /// <param name="parameters">The flat parameters of the model.</param>
    public void CopyMastersTo(FlatParameters parameters)
    {
        foreach (string name in parameters.Names)
        {
            if (!_masters.Remove(name, out Tensor? master))
                continue;
            parameters.SetMaster(name, master);
            master.Dispose();
        }
        parameters.PublishValues();
    }

    /// <summary>Converts the model back: trained weights come from the flat parameters, frozen ones are as they were.</summary>
    /// <param name="parameters">The flat parameters of the model.</param>
    public void Restore(FlatParameters parameters)
    {
        if (!_half)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // Converting a parameter converts its gradient with it.
        foreach (Parameter parameter in _model.parameters())
            parameter.grad = null;
        _model.to(ScalarType.Float32);
        foreach ((string name, Parameter parameter) in _model.named_parameters())
            parameter.copy_(_masters.TryGetValue(name, out Tensor? frozen) ? frozen : parameters.GetMaster(name));
    }

    /// <summary>Frees the copies of the weights.</summary>
    public void Dispose()
    {
        foreach (Tensor master in _masters.Values)
            master.Dispose();
        _masters.Clear();
    }
}
