@echo off
rem The commands of build.sh on Windows, where the genuine packages are served.
setlocal
set DOTNET_NOLOGO=1
set options=-c Release -p:UseStandIns=false
set command=
set rest=
for /f "tokens=1,*" %%a in ("%*") do (
  set command=%%a
  set rest=%%b
)
set samples=dotnet run --project "%~dp0src\Samples" %options% --

if "%command%"=="train" goto train
if "%command%"=="run" goto run
if "%command%"=="bench" goto bench
if "%command%"=="test" goto test
echo usage: build.cmd train^|test^|bench^|run [arguments of the program]
exit /b 2

:train
%samples% train %rest%
exit /b %errorlevel%

:run
%samples% %rest%
exit /b %errorlevel%

:bench
dotnet run --project "%~dp0tests\MLNetExtension.Benchmarks" %options% -- %rest%
exit /b %errorlevel%

:test
cd /d "%~dp0"
dotnet test %options% --filter "TestCategory!=Gpu" %rest%
exit /b %errorlevel%
