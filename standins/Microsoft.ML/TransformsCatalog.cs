using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class TransformsCatalog : IInternalCatalog
{
    private readonly IHostEnvironment _env;

    internal TransformsCatalog(IHostEnvironment env)
    {
        _env = env;
        Text = new TextTransforms(this);
    }

    public TextTransforms Text { get; }
    IHostEnvironment IInternalCatalog.Environment => _env;

    public sealed class TextTransforms : IInternalCatalog
    {
        private readonly IHostEnvironment _env;
        internal TextTransforms(TransformsCatalog owner) => _env = owner._env;
        IHostEnvironment IInternalCatalog.Environment => _env;
    }
}
