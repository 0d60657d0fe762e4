using System.Reflection;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

internal delegate void SignatureLoadModel(ModelLoadContext ctx);

/// <summary>Where one model of an archive is loaded from; its version names the loader, the component catalog knows it.</summary>
internal sealed class ModelLoadContext : IDisposable
{
    public const string ModelStreamName = "Model.key";
    public readonly BinaryReader Reader;
    private readonly RepositoryReader _repository;
    private readonly string _directory;
    private readonly VersionInfo _version;

    private ModelLoadContext(RepositoryReader rep, Stream stream, string dir)
    {
        _repository = rep;
        _directory = dir;
        Reader = new BinaryReader(stream, Encoding.UTF8);
        try
        {
            _version = new VersionInfo(Reader);
        }
        catch (Exception e)
        {
            throw Contracts.ExceptDecode(null, "Wrong file type", e);
        }
    }

    public void CheckAtModel(VersionInfo ver) => _version.Check(ver);

    public bool TryLoadBinaryStream(string name, Action<BinaryReader> action)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        Contracts.CheckValue(action, nameof(action));
        using Stream stream = _repository.OpenEntryOrNull(_directory, name);
        if (stream == null)
            return false;
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        action(reader);
        return true;
    }

    public ITransformer LoadTransformer(IHostEnvironment env, string name) => LoadTransformer(env, _repository, Path.Combine(_directory, name));

    public static ITransformer LoadTransformer(IHostEnvironment env, RepositoryReader rep, string dir)
    {
        using Stream stream = rep.OpenEntryOrNull(dir, ModelStreamName) ?? throw env.ExceptDecode("Corrupt model file");
        using ModelLoadContext ctx = new(rep, stream, dir);
        if (ctx._version.LoaderAssemblyName.Length > 0)
            env.ComponentCatalog.RegisterAssembly(Assembly.Load(ctx._version.LoaderAssemblyName));
        foreach (string signature in new[] { ctx._version.LoaderSignature, ctx._version.LoaderSignatureAlt })
        {
            if (env.ComponentCatalog.CreateInstanceOrNull(env, typeof(SignatureLoadModel), signature, ctx) is not ITransformer loaded)
                continue;
            Contracts.CheckDecode(stream.Position == stream.Length);
            return loaded;
        }
        throw env.ExceptDecode($"Couldn't load model: '{dir}'");
    }

    public void Dispose() => Reader.Dispose();
}
