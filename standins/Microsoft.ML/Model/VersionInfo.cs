using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>What kind of model a stream holds, in which version, and who loads it: written before the model itself.</summary>
internal readonly struct VersionInfo
{
    public readonly string ModelSignature;
    public readonly uint VerWrittenCur;
    public readonly uint VerReadableCur;
    public readonly uint VerWeCanReadBack;
    public readonly string LoaderAssemblyName;
    public readonly string LoaderSignature;
    public readonly string LoaderSignatureAlt;

    public VersionInfo(string modelSignature, uint verWrittenCur, uint verReadableCur, uint verWeCanReadBack, string loaderAssemblyName,
        string loaderSignature = null, string loaderSignatureAlt = null)
    {
        Contracts.Check(modelSignature?.Length == 8, "Model signature must be eight characters");
        ModelSignature = modelSignature;
        VerWrittenCur = verWrittenCur;
        VerReadableCur = verReadableCur;
        VerWeCanReadBack = verWeCanReadBack;
        LoaderAssemblyName = loaderAssemblyName ?? "";
        LoaderSignature = loaderSignature ?? "";
        LoaderSignatureAlt = loaderSignatureAlt ?? "";
    }

    public VersionInfo(BinaryReader reader)
        : this(reader.ReadString(), reader.ReadUInt32(), reader.ReadUInt32(), 0, reader.ReadString(), reader.ReadString(), reader.ReadString())
    {
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(ModelSignature);
        writer.Write(VerWrittenCur);
        writer.Write(VerReadableCur);
        writer.Write(LoaderAssemblyName);
        writer.Write(LoaderSignature);
        writer.Write(LoaderSignatureAlt);
    }

    /// <summary>That a model so saved is one this version reads.</summary>
    public void Check(VersionInfo ver)
    {
        Contracts.CheckDecode(ModelSignature == ver.ModelSignature, "Unknown file type");
        Contracts.CheckDecode(VerReadableCur <= ver.VerWrittenCur, $"Component '{ver.LoaderSignature}' of the model is too new.");
        Contracts.CheckDecode(VerWrittenCur >= ver.VerWeCanReadBack, $"Component '{ver.LoaderSignature}' of the model is too old.");
    }
}
