// Every word of the page's own, in the languages of ../locales, and of Python's what it sends as a template with values.
// All else that Python words, such as whole reports, comes in English, as the log does.

export const LANGUAGES = ["en", "de", "fr", "ja", "ko", "zh"];

// key: [en, de, fr, ja, ko, zh]; {name} is filled in.
export const WORDS = {
  presets: ["Sigmasmith presets", "Sigmasmith-Presets", "Préréglages Sigmasmith", "Sigmasmith プリセット", "Sigmasmith 프리셋", "Sigmasmith 预设"],
  searchPresets: ["Search presets", "Presets suchen", "Chercher des préréglages", "プリセットを検索", "프리셋 검색", "搜索预设"],
  searchHint: ["Search names, models, samplers, authors", "Namen, Modelle, Sampler, Autoren", "Noms, modèles, samplers, auteurs", "名前、モデル、サンプラー、作者", "이름, 모델, 샘플러, 만든 사람", "名称、模型、采样器、作者"],
  importFile: ["Import file", "Datei importieren", "Importer un fichier", "ファイルを追加", "파일 가져오기", "导入文件"],
  importFileHint: ["Add a preset file", "Eine Preset-Datei hinzufügen", "Ajouter un fichier de préréglage", "プリセットのファイルを追加します", "프리셋 파일을 추가합니다", "添加预设文件"],
  pasteCode: ["Paste share code", "Teilen-Code einfügen", "Coller un code de partage", "共有コードを貼り付け", "공유 코드 붙여넣기", "粘贴分享码"],
  pasteCodeHint: ["The line that begins with sigmasmith1:", "Die Zeile, die mit sigmasmith1: beginnt", "La ligne qui commence par sigmasmith1:", "sigmasmith1: で始まる一行", "sigmasmith1:로 시작하는 한 줄", "以 sigmasmith1: 开头的一行"],
  refresh: ["Refresh", "Neu laden", "Actualiser", "更新", "새로 고침", "刷新"],
  refreshHint: ["Look again", "Noch einmal nachsehen", "Regarder de nouveau", "もう一度調べます", "다시 살펴봅니다", "重新查看"],
  fitFirst: ["Those that fit {model} come first.", "Die zu {model} passen, stehen vorn.", "Ceux qui conviennent à {model} viennent d'abord.", "{model} に合うものが先に並びます。", "{model}에 맞는 것이 먼저 나옵니다.", "适合 {model} 的排在前面。"],
  nothingFound: ["Nothing found.", "Nichts gefunden.", "Rien trouvé.", "見つかりません。", "찾은 것이 없습니다.", "没有找到。"],
  noPresets: [
    "No presets yet. Queue a graph with Sigmasmith Auto or Fit Schedule, drop a preset file on the page, or paste a share code that somebody sent you.",
    "Noch keine Presets. Führen Sie einen Graphen mit Sigmasmith Auto oder Fit Schedule aus, ziehen Sie eine Preset-Datei auf die Seite oder fügen Sie einen Teilen-Code ein, den Ihnen jemand geschickt hat.",
    "Pas encore de préréglages. Lancez un graphe avec Sigmasmith Auto ou Fit Schedule, déposez un fichier de préréglage sur la page ou collez un code de partage qu'on vous a envoyé.",
    "プリセットはまだありません。Sigmasmith Auto か Fit Schedule を含むグラフを実行するか、プリセットのファイルをページにドロップするか、受け取った共有コードを貼り付けてください。",
    "아직 프리셋이 없습니다. Sigmasmith Auto나 Fit Schedule이 있는 그래프를 실행하거나, 프리셋 파일을 페이지에 끌어다 놓거나, 받은 공유 코드를 붙여넣으세요.",
    "还没有预设。运行带有 Sigmasmith Auto 或 Fit Schedule 的工作流，把预设文件拖到页面上，或粘贴别人发给您的分享码。",
  ],
  more: ["{left} more of {total} presets: search to find them.", "{left} weitere von {total} Presets: über die Suche zu finden.", "Encore {left} préréglages sur {total} : cherchez pour les trouver.", "ほかに {left} 件（全 {total} 件）。検索で見つかります。", "프리셋 {total}개 중 {left}개 더 있음: 검색해서 찾으세요.", "共 {total} 个预设，还有 {left} 个：请用搜索查找。"],
  copiedAs: ["Copied as {name}.", "Als {name} kopiert.", "Copié sous le nom {name}.", "{name} としてコピーしました。", "{name}(으)로 복사했습니다.", "已复制为 {name}。"],
  rename: ["Rename", "Umbenennen", "Renommer", "名前を変更", "이름 바꾸기", "重命名"],
  renameHint: ["Give it another name", "Einen anderen Namen geben", "Lui donner un autre nom", "別の名前を付けます", "다른 이름을 붙입니다", "换一个名称"],
  renamePreset: ["Rename preset", "Preset umbenennen", "Renommer le préréglage", "プリセットの名前を変更", "프리셋 이름 바꾸기", "重命名预设"],
  newName: ["New name; a/b puts it into a folder a.", "Neuer Name; a/b legt es in einen Ordner a.", "Nouveau nom ; a/b le met dans un dossier a.", "新しい名前。a/b とするとフォルダー a に入ります。", "새 이름. a/b로 쓰면 폴더 a에 들어갑니다.", "新名称；a/b 会放入文件夹 a。"],
  renamed: ["Renamed to {to}. Workflows that load {name} must be set anew.", "In {to} umbenannt. Workflows, die {name} laden, sind neu einzustellen.", "Renommé en {to}. Les workflows qui chargent {name} sont à régler de nouveau.", "{to} に変更しました。{name} を読み込むワークフローは設定し直してください。", "{to}(으)로 바꿨습니다. {name}을(를) 불러오는 워크플로는 다시 설정해야 합니다.", "已重命名为 {to}。加载 {name} 的工作流需要重新设置。"],
  delete: ["Delete", "Löschen", "Supprimer", "削除", "삭제", "删除"],
  deleteHint: ["Remove the file", "Die Datei entfernen", "Retirer le fichier", "ファイルを消します", "파일을 지웁니다", "移除文件"],
  deletePreset: ["Delete preset?", "Preset löschen?", "Supprimer le préréglage ?", "プリセットを削除しますか？", "프리셋을 삭제할까요?", "删除预设？"],
  deleteForGood: ["{name} is removed from the disk for good.", "{name} wird endgültig von der Platte entfernt.", "{name} est retiré du disque pour de bon.", "{name} はディスクから完全に消えます。", "{name}이(가) 디스크에서 완전히 지워집니다.", "{name} 将从磁盘上永久删除。"],
  deleted: ["{name} is deleted.", "{name} ist gelöscht.", "{name} est supprimé.", "{name} を削除しました。", "{name}을(를) 삭제했습니다.", "{name} 已删除。"],
  added: ["Preset {name} is in the library.", "Das Preset {name} ist in der Bibliothek.", "Le préréglage {name} est dans la bibliothèque.", "プリセット {name} をライブラリに入れました。", "프리셋 {name}이(가) 라이브러리에 있습니다.", "预设 {name} 已在库中。"],
  fits: ["fits", "passt", "convient", "対応", "맞음", "适用"],
  fitsHint: ["Made for this model", "Für dieses Modell gemacht", "Fait pour ce modèle", "このモデルのためのもの", "이 모델을 위해 만듦", "为此模型制作"],
  sameNoise: ["same noise levels", "gleiche Rauschstufen", "mêmes niveaux de bruit", "同じノイズレベル", "같은 노이즈 수준", "噪声水平相同"],
  sameNoiseHint: ["Made for other weights with the same noise levels", "Für andere Gewichte mit gleichen Rauschstufen gemacht", "Fait pour d'autres poids aux mêmes niveaux de bruit", "同じノイズレベルを持つ別の重みのためのもの", "노이즈 수준이 같은 다른 가중치를 위해 만듦", "为噪声水平相同的其他权重制作"],
  otherModel: ["other model", "anderes Modell", "autre modèle", "別のモデル", "다른 모델", "其他模型"],
  otherModelHint: ["Made for another kind of model", "Für eine andere Art von Modell gemacht", "Fait pour une autre sorte de modèle", "別の種類のモデルのためのもの", "다른 종류의 모델을 위해 만듦", "为另一类模型制作"],
  broken: ["broken", "defekt", "abîmé", "破損", "손상됨", "已损坏"],
  brokenHint: ["This file cannot be used", "Diese Datei ist nicht zu gebrauchen", "Ce fichier est inutilisable", "このファイルは使えません", "이 파일은 쓸 수 없습니다", "此文件无法使用"],
  stepsOf: ["{steps} steps", "{steps} Schritte", "{steps} pas", "{steps} ステップ", "{steps} 스텝", "{steps} 步"],
  gainAt: ["{gain} at {steps} steps", "{gain} bei {steps} Schritten", "{gain} à {steps} pas", "{steps} ステップで {gain}", "{steps} 스텝에서 {gain}", "{steps} 步时 {gain}"],
  curveOf: ["Curve of {name}", "Kurve von {name}", "Courbe de {name}", "{name} の曲線", "{name}의 곡선", "{name} 的曲线"],
  noCurve: ["No curve", "Keine Kurve", "Pas de courbe", "曲線なし", "곡선 없음", "没有曲线"],
  use: ["Use in the graph", "Im Graphen verwenden", "Utiliser dans le graphe", "グラフで使う", "그래프에서 사용", "在工作流中使用"],
  useHint: [
    "Put Load Preset and Apply Schedule in front of the sampler and choose scheduler and sampler; one undo takes it back",
    "Load Preset und Apply Schedule vor den Sampler setzen, Scheduler und Sampler wählen; einmal Rückgängig nimmt alles zurück",
    "Mettre Load Preset et Apply Schedule devant le sampler et choisir scheduler et sampler ; une annulation reprend tout",
    "Load Preset と Apply Schedule をサンプラーの前に置き、スケジューラーとサンプラーを選びます。元に戻すのは一度で済みます",
    "Load Preset과 Apply Schedule을 샘플러 앞에 놓고 스케줄러와 샘플러를 고릅니다. 실행 취소 한 번으로 되돌립니다",
    "在采样器前放入 Load Preset 和 Apply Schedule 并选好调度器和采样器；撤销一次即可全部还原",
  ],
  used: ["{name} is in front of {sampler}. Undo takes it back.", "{name} liegt vor {sampler}. Rückgängig nimmt es zurück.", "{name} est devant {sampler}. Annuler le reprend.", "{name} を {sampler} の前に置きました。元に戻せます。", "{name}이(가) {sampler} 앞에 있습니다. 실행 취소로 되돌립니다.", "{name} 已放在 {sampler} 之前。可撤销。"],
  usedAlone: ["{name} is loaded. Connect it to Apply Schedule in front of a sampler.", "{name} ist geladen. Verbinden Sie es mit Apply Schedule vor einem Sampler.", "{name} est chargé. Reliez-le à Apply Schedule devant un sampler.", "{name} を読み込みました。サンプラーの前の Apply Schedule につないでください。", "{name}을(를) 불러왔습니다. 샘플러 앞의 Apply Schedule에 연결하세요.", "{name} 已加载。请连接到采样器前的 Apply Schedule。"],
  copyShareCode: ["Copy share code", "Teilen-Code kopieren", "Copier le code de partage", "共有コードをコピー", "공유 코드 복사", "复制分享码"],
  copyShareCodeHint: ["One line of text that holds the schedules", "Eine Zeile Text, die die Schrittpläne enthält", "Une ligne de texte qui contient les plannings", "スケジュールを収めた一行のテキスト", "스케줄이 담긴 한 줄의 글", "包含调度的一行文本"],
  copyCurve: ["Copy this schedule as a share code", "Diesen Schrittplan als Teilen-Code kopieren", "Copier ce planning comme code de partage", "このスケジュールを共有コードとしてコピー", "이 스케줄을 공유 코드로 복사", "将此调度复制为分享码"],
  shareCode: ["Share code", "Teilen-Code", "Code de partage", "共有コード", "공유 코드", "分享码"],
  copied: ["{what} copied.", "{what} kopiert.", "{what} copié.", "{what}をコピーしました。", "{what}을(를) 복사했습니다.", "{what}已复制。"],
  copyByHand: ["Copy this line:", "Diese Zeile kopieren:", "Copiez cette ligne :", "この行をコピーしてください：", "이 줄을 복사하세요:", "请复制这一行："],
  export: ["Export", "Exportieren", "Exporter", "書き出す", "내보내기", "导出"],
  exportHint: ["Save the file to give it away", "Die Datei zum Weitergeben speichern", "Enregistrer le fichier pour le donner", "人に渡すファイルを保存します", "나눠 줄 파일을 저장합니다", "保存文件以便分享"],
  withWorkflow: ["with the open workflow, without its prompts", "mit dem offenen Workflow, ohne seine Prompts", "avec le workflow ouvert, sans ses prompts", "開いているワークフロー付き（プロンプトは除く）", "열린 워크플로 포함(프롬프트 제외)", "附带当前工作流（不含提示词）"],
  withWorkflowHint: ["Prompts, notes, titles and paths are taken out of it", "Prompts, Notizen, Titel und Pfade werden entfernt", "Prompts, notes, titres et chemins en sont retirés", "プロンプト、メモ、タイトル、パスは取り除かれます", "프롬프트, 메모, 제목, 경로는 빠집니다", "提示词、注释、标题和路径会被移除"],
  duplicate: ["Duplicate", "Duplizieren", "Dupliquer", "複製", "복제", "创建副本"],
  duplicateHint: ["Make a copy", "Eine Kopie anlegen", "Faire une copie", "コピーを作ります", "사본을 만듭니다", "制作副本"],
  readOnly: ["This file lies in a folder that is only read", "Diese Datei liegt in einem Ordner, der nur gelesen wird", "Ce fichier est dans un dossier en lecture seule", "このファイルは読み取り専用のフォルダーにあります", "이 파일은 읽기 전용 폴더에 있습니다", "此文件位于只读文件夹中"],
  shared: ["Off with --multi-user: the library is shared by all", "Aus bei --multi-user: die Bibliothek gehört allen", "Désactivé avec --multi-user : la bibliothèque est à tous", "--multi-user では使えません：ライブラリは全員で共有されます", "--multi-user에서는 꺼짐: 라이브러리를 모두 함께 씁니다", "--multi-user 时停用：库由所有人共享"],
  openWorkflow: ["Open the workflow?", "Workflow öffnen?", "Ouvrir le workflow ?", "ワークフローを開きますか？", "워크플로를 열까요?", "打开工作流？"],
  carriesWorkflow: ["{file} carries a workflow that uses the preset. Open it?", "{file} enthält einen Workflow, der das Preset verwendet. Öffnen?", "{file} contient un workflow qui utilise le préréglage. L'ouvrir ?", "{file} にはこのプリセットを使うワークフローが入っています。開きますか？", "{file}에 이 프리셋을 쓰는 워크플로가 들어 있습니다. 열까요?", "{file} 带有使用此预设的工作流。要打开吗？"],
  tuneNow: ["Tune now, up to {minutes} minutes", "Jetzt abstimmen, bis {minutes} Minuten", "Ajuster maintenant, {minutes} minutes au plus", "いま調整する（最長 {minutes} 分）", "지금 조정, 최대 {minutes}분", "立即调整，最多 {minutes} 分钟"],
  goOn: ["Go on", "Weitermachen", "Continuer", "続ける", "계속하기", "继续"],
  goOnHint: ["Queue the graph again: what is done is kept", "Den Graphen noch einmal ausführen: das Fertige bleibt", "Relancer le graphe : ce qui est fait est gardé", "グラフをもう一度実行します。済んだ分は残っています", "그래프를 다시 실행합니다. 끝난 부분은 남아 있습니다", "再次运行工作流：已完成的部分会保留"],
  moreInputs: ["More inputs", "Weitere Eingaben", "Plus d'entrées", "その他の入力", "입력 더 보기", "更多输入"],
  fewerInputs: ["Fewer inputs", "Weniger Eingaben", "Moins d'entrées", "入力を減らす", "입력 접기", "收起输入"],
  slider: ["Where the left picture ends", "Wo das linke Bild endet", "Où finit l'image de gauche", "左の画像の端", "왼쪽 그림이 끝나는 곳", "左图结束的位置"],
  leftPicture: ["Left picture", "Linkes Bild", "Image de gauche", "左の画像", "왼쪽 그림", "左图"],
  rightPicture: ["Right picture", "Rechtes Bild", "Image de droite", "右の画像", "오른쪽 그림", "右图"],
  noise: ["noise {number}", "Rauschen {number}", "bruit {number}", "ノイズ {number}", "노이즈 {number}", "噪声 {number}"],
  error: ["error {error}", "Fehler {error}", "erreur {error}", "誤差 {error}", "오차 {error}", "误差 {error}"],
  nearer: ["{times}× nearer", "{times}× näher", "{times}× plus proche", "{times}倍近い", "{times}배 가까움", "接近 {times} 倍"],
  noAnswer: ["The server does not answer.", "Der Server antwortet nicht.", "Le serveur ne répond pas.", "サーバーが応答しません。", "서버가 응답하지 않습니다.", "服务器没有响应。"],
  answered: ["The server answered {status}.", "Der Server antwortete {status}.", "Le serveur a répondu {status}.", "サーバーの応答：{status}", "서버의 응답: {status}", "服务器返回 {status}。"],
  noCurveGiven: ["The server gave no curve.", "Der Server gab keine Kurve.", "Le serveur n'a donné aucune courbe.", "サーバーから曲線が来ませんでした。", "서버가 곡선을 주지 않았습니다.", "服务器没有给出曲线。"],
};

// Python's English (Phrase in schedules/core/words.py): [de, fr, ja, ko, zh]; {name} is filled in.
export const TOLD = {
  "steps": ["Schritte", "pas", "ステップ", "스텝", "步数"],
  "returned": ["zurückgegeben", "rendu", "採用", "반환", "返回"],
  "best host schedule": ["bester Plan des Hosts", "meilleur planning de l'hôte", "ホストで最良のもの", "호스트의 최선", "宿主的最佳调度"],
  "gain": ["Gewinn", "gain", "改善", "이득", "增益"],
  "sampler": ["Sampler", "sampler", "サンプラー", "샘플러", "采样器"],
  "schedule": ["Schrittplan", "planning", "スケジュール", "스케줄", "调度"],
  "error": ["Fehler", "erreur", "誤差", "오차", "误差"],
  "none": ["keiner", "aucun", "なし", "없음", "无"],
  "none compared": ["keiner verglichen", "aucun comparé", "比較なし", "비교 없음", "未比较"],
  "failed": ["gescheitert", "échec", "失敗", "실패", "失败"],
  "fitted": ["angepasst", "ajusté", "調整済み", "조정됨", "已拟合"],
  "{name}\n{error}": ["{name}\n{error}", "{name}\n{error}", "{name}\n{error}", "{name}\n{error}", "{name}\n{error}"],
  "fitted: {sampler}": ["angepasst: {sampler}", "ajusté : {sampler}", "調整済み：{sampler}", "조정됨: {sampler}", "已拟合：{sampler}"],
  "returned: {run}": ["zurückgegeben: {run}", "rendu : {run}", "採用：{run}", "반환: {run}", "返回：{run}"],
  "until now: {run}": ["bisher: {run}", "jusqu'ici : {run}", "これまで：{run}", "지금까지: {run}", "此前：{run}"],
  "reference": ["Referenz", "référence", "基準", "기준", "参考"],
  "self-test": ["Selbsttest", "autotest", "自己検査", "자체 점검", "自检"],
  "held-out check": ["Prüfung an zurückgehaltenem Rauschen", "contrôle sur des bruits réservés", "取り置いたノイズでの検査", "남겨 둔 노이즈로 점검", "用保留的噪声检验"],
  "recursive search": ["rekursive Suche", "recherche récursive", "再帰的な探索", "재귀 탐색", "递归搜索"],
  "images to start from": ["Bilder für den Start", "images de départ", "開始用の画像", "시작 이미지", "起始图像"],
  "before and after": ["vorher und nachher", "avant et après", "前と後", "전과 후", "前后对比"],
  "{steps} steps: scale and stretch": ["{steps} Schritte: Lage und Dehnung", "{steps} pas : échelle et étirement", "{steps} ステップ：位置と伸び", "{steps} 스텝: 위치와 늘림", "{steps} 步：尺度与拉伸"],
  "{steps} steps: first candidates": ["{steps} Schritte: erste Kandidaten", "{steps} pas : premiers candidats", "{steps} ステップ：最初の候補", "{steps} 스텝: 첫 후보", "{steps} 步：初始候选"],
  "{steps} steps: refining": ["{steps} Schritte: Verfeinern", "{steps} pas : affinage", "{steps} ステップ：細かい調整", "{steps} 스텝: 다듬기", "{steps} 步：细化"],
  "{steps} steps: coefficients": ["{steps} Schritte: Koeffizienten", "{steps} pas : coefficients", "{steps} ステップ：係数", "{steps} 스텝: 계수", "{steps} 步：系数"],
  "{steps} steps: schedule and coefficients": ["{steps} Schritte: Plan und Koeffizienten", "{steps} pas : planning et coefficients", "{steps} ステップ：スケジュールと係数", "{steps} 스텝: 스케줄과 계수", "{steps} 步：调度与系数"],
  "{sampler} with {schedule}, {steps} steps": ["{sampler} mit {schedule}, {steps} Schritte", "{sampler} avec {schedule}, {steps} pas", "{sampler} と {schedule}、{steps} ステップ", "{sampler}, {schedule}, {steps} 스텝", "{sampler} 配 {schedule}，{steps} 步"],
  "{phase} (went on at {share})": ["{phase} (ging weiter bei {share})", "{phase} (repris à {share})", "{phase}（{share} から再開）", "{phase} ({share}에서 이어 감)", "{phase}（从 {share} 继续）"],
  "{phase}: {share} done, {time}{more}": ["{phase}: {share} fertig, noch {time}{more}", "{phase} : {share} fait, encore {time}{more}", "{phase}：{share} 完了、残り {time}{more}", "{phase}: {share} 완료, 남은 시간 {time}{more}", "{phase}：已完成 {share}，还需 {time}{more}"],
  " more at most": [" (höchstens)", " (au plus)", "（最長）", " (최대)", "（最多）"],
  " more": ["", "", "", "", ""],
  "{count} second": ["{count} Sekunde", "{count} seconde", "{count} 秒", "{count}초", "{count} 秒"],
  "{count} seconds": ["{count} Sekunden", "{count} secondes", "{count} 秒", "{count}초", "{count} 秒"],
  "{count} minutes": ["{count} Minuten", "{count} minutes", "{count} 分", "{count}분", "{count} 分钟"],
  "{count} hours": ["{count} Stunden", "{count} heures", "{count} 時間", "{count}시간", "{count} 小时"],
  "{work} takes about {time}{more}": ["{work} dauert noch etwa {time}{more}", "{work} prend encore environ {time}{more}", "{work}はあと約 {time}{more}", "{work}: 약 {time} 남음{more}", "{work}大约还需 {time}{more}"],
  "{work} takes about {time}{more}, stopped after {minutes} minutes": ["{work} dauert noch etwa {time}{more}; nach {minutes} Minuten wird aufgehört", "{work} prend encore environ {time}{more}, arrêt après {minutes} minutes", "{work}はあと約 {time}{more}、{minutes} 分で止めます", "{work}: 약 {time} 남음{more}, {minutes}분 뒤 멈춤", "{work}大约还需 {time}{more}，{minutes} 分钟后停止"],
  "the fit": ["Die Anpassung", "L'ajustement", "調整", "조정", "拟合"],
  "the comparison": ["Der Vergleich", "La comparaison", "比較", "비교", "比较"],
  "Interrupted at {share}: kept, and goes on from there when queued again.": ["Unterbrochen bei {share}: behalten, geht beim nächsten Ausführen dort weiter.", "Interrompu à {share} : gardé, et reprend là au prochain lancement.", "{share} で中断：保存済みで、次の実行時にそこから続きます。", "{share}에서 중단: 보관했으며 다시 실행하면 거기서 이어집니다.", "在 {share} 处中断：已保留，再次运行时从那里继续。"],
  "Auto: {steps} steps of the preset {name}, with {sampler}.": ["Auto: {steps} Schritte des Presets {name}, mit {sampler}.", "Auto : {steps} pas du préréglage {name}, avec {sampler}.", "Auto：プリセット {name} の {steps} ステップ、{sampler} で。", "Auto: 프리셋 {name}의 {steps} 스텝, {sampler} 사용.", "Auto：预设 {name} 的 {steps} 步，使用 {sampler}。"],
  "Auto: {steps} steps of the preset {name} (the host's {origin} won there), with {sampler}.": ["Auto: {steps} Schritte des Presets {name} (dort gewann {origin} des Hosts), mit {sampler}.", "Auto : {steps} pas du préréglage {name} (où {origin} de l'hôte l'a emporté), avec {sampler}.", "Auto：プリセット {name} の {steps} ステップ（ホストの {origin} が勝ちました）、{sampler} で。", "Auto: 프리셋 {name}의 {steps} 스텝(호스트의 {origin}이 이김), {sampler} 사용.", "Auto：预设 {name} 的 {steps} 步（宿主的 {origin} 更好），使用 {sampler}。"],
  "Auto: {steps} steps of the family with {sampler}, for {reason}.": ["Auto: {steps} Schritte der Familie mit {sampler}, denn: {reason}.", "Auto : {steps} pas de la famille avec {sampler}, car : {reason}.", "Auto：ファミリーの {steps} ステップ、{sampler} で。理由：{reason}。", "Auto: 패밀리의 {steps} 스텝, {sampler} 사용. 이유: {reason}.", "Auto：家族的 {steps} 步，使用 {sampler}，原因：{reason}。"],
  "Auto: this run is as set in the sampler, for {reason}.": ["Auto: Dieser Lauf bleibt wie im Sampler eingestellt, denn: {reason}.", "Auto : cette exécution reste comme réglée dans le sampler, car : {reason}.", "Auto：この実行はサンプラーの設定のままです。理由：{reason}。", "Auto: 이 실행은 샘플러 설정 그대로입니다. 이유: {reason}.", "Auto：此次运行保持采样器的设置，原因：{reason}。"],
  "there is no preset for it and tune is none": ["es gibt kein Preset dafür und tune steht auf none", "il n'y a pas de préréglage et tune est none", "合うプリセットがなく、tune が none です", "맞는 프리셋이 없고 tune이 none입니다", "没有对应的预设，且 tune 为 none"],
  "it starts or ends in the middle of the noise (sigma {start} to {end}), and there is no preset for that; Sigmasmith Fit Schedule makes one for a denoise below 1": ["er beginnt oder endet mitten im Rauschen (sigma {start} bis {end}), und dafür gibt es kein Preset; Sigmasmith Fit Schedule macht eines für denoise unter 1", "elle commence ou finit au milieu du bruit (sigma {start} à {end}), sans préréglage pour cela ; Sigmasmith Fit Schedule en fait un pour un denoise inférieur à 1", "ノイズの途中（sigma {start} から {end}）で始まるか終わり、そのためのプリセットがありません。denoise が 1 未満のものは Sigmasmith Fit Schedule で作れます", "노이즈 중간(sigma {start}에서 {end})에서 시작하거나 끝나며 그에 맞는 프리셋이 없습니다. denoise 1 미만용은 Sigmasmith Fit Schedule로 만듭니다", "它在噪声中途开始或结束（sigma {start} 到 {end}），没有对应的预设；Sigmasmith Fit Schedule 可为 denoise 小于 1 制作"],
  "neither the model nor the graph tells the file it came from, by which a preset is known again": ["weder Modell noch Graph nennen die Datei, an der ein Preset wiedererkannt wird", "ni le modèle ni le graphe ne disent de quel fichier il vient, par quoi un préréglage se reconnaît", "プリセットを見分けるための元ファイルが、モデルからもグラフからも分かりません", "프리셋을 알아볼 원본 파일을 모델도 그래프도 알려 주지 않습니다", "模型和工作流都没有说明其来源文件，无法据此识别预设"],
  "tuning would take about {time}, more than the limit of {minutes} minutes; raise minutes, or set it to 0, and queue again to let it run": ["das Abstimmen würde etwa {time} dauern, mehr als die Grenze von {minutes} Minuten; minutes erhöhen oder auf 0 setzen und noch einmal ausführen", "l'ajustement prendrait environ {time}, plus que la limite de {minutes} minutes ; augmentez minutes ou mettez 0, puis relancez", "調整に約 {time} かかり、上限の {minutes} 分を超えます。minutes を上げるか 0 にして、もう一度実行してください", "조정에 약 {time} 걸려 한도 {minutes}분을 넘습니다. minutes를 올리거나 0으로 하고 다시 실행하세요", "调整大约需要 {time}，超过 {minutes} 分钟的上限；提高 minutes 或设为 0，然后再次运行"],
  "the preset {name} says that nothing can be fitted here, as on models of few steps": ["das Preset {name} sagt, dass hier nichts anzupassen ist, wie bei Modellen für wenige Schritte", "le préréglage {name} dit que rien ne peut être ajusté ici, comme sur les modèles à peu de pas", "少ステップ用のモデルなどのように調整できるものがない、とプリセット {name} にあります", "프리셋 {name}에 따르면 적은 스텝용 모델처럼 조정할 것이 없습니다", "预设 {name} 表明此处无可拟合，如少步数模型"],
  "{reason}; untuned, the family's sigmas are no gain for {sampler}": ["{reason}; ohne Abstimmung bringen die Sigmas der Familie für {sampler} nichts", "{reason} ; sans ajustement, les sigmas de la famille n'apportent rien à {sampler}", "{reason}。調整なしでは、ファミリーの sigma は {sampler} に利点がありません", "{reason}. 조정 없이는 패밀리의 sigma가 {sampler}에 이득이 없습니다", "{reason}；未调整时，家族的 sigma 对 {sampler} 没有增益"],
  "{reason}; the family is for {least} to {most} steps": ["{reason}; die Familie gilt für {least} bis {most} Schritte", "{reason} ; la famille vaut pour {least} à {most} pas", "{reason}。ファミリーは {least} から {most} ステップ用です", "{reason}. 패밀리는 {least}~{most} 스텝용입니다", "{reason}；家族适用于 {least} 到 {most} 步"],
  "Sigmasmith Apply Schedule put a preset on the model": ["Sigmasmith Apply Schedule hat ein Preset auf das Modell gelegt", "Sigmasmith Apply Schedule a mis un préréglage sur le modèle", "Sigmasmith Apply Schedule がモデルにプリセットを付けています", "Sigmasmith Apply Schedule이 모델에 프리셋을 적용했습니다", "Sigmasmith Apply Schedule 已在模型上放置预设"],
  "its latents are of several kinds at once": ["seine Latents sind von mehreren Arten zugleich", "ses latents sont de plusieurs sortes à la fois", "潜在表現が複数の種類からなります", "잠재 표현이 여러 종류입니다", "其潜变量同时属于多种类型"],
  "its sampler is none of the sampler list": ["sein Sampler steht nicht in der Liste der Sampler", "son sampler n'est pas dans la liste des samplers", "サンプラーが一覧にないものです", "샘플러가 목록에 없는 것입니다", "其采样器不在采样器列表中"],
  "{sampler} chooses its noise levels itself": ["{sampler} wählt seine Rauschstufen selbst", "{sampler} choisit lui-même ses niveaux de bruit", "{sampler} はノイズレベルを自分で選びます", "{sampler}은(는) 노이즈 수준을 스스로 고릅니다", "{sampler} 自行选择噪声水平"],
  "{sampler} renews all of the noise": ["{sampler} erneuert das ganze Rauschen", "{sampler} renouvelle tout le bruit", "{sampler} はノイズをすべて新しくします", "{sampler}은(는) 노이즈를 모두 새로 만듭니다", "{sampler} 会更新全部噪声"],
  "{sampler} draws noise of its own": ["{sampler} zieht eigenes Rauschen", "{sampler} tire son propre bruit", "{sampler} は独自のノイズを加えます", "{sampler}은(는) 자체 노이즈를 더합니다", "{sampler} 会加入自己的噪声"],
  "{sampler} has settings of its own": ["{sampler} hat eigene Einstellungen", "{sampler} a ses propres réglages", "{sampler} には独自の設定があります", "{sampler}에 자체 설정이 있습니다", "{sampler} 带有自己的设置"],
  "{sampler} may call the model several times a step; turn keep_sampler on to tune its sigmas": ["{sampler} ruft das Modell womöglich mehrmals je Schritt auf; keep_sampler einschalten, um seine Sigmas abzustimmen", "{sampler} peut appeler le modèle plusieurs fois par pas ; activez keep_sampler pour ajuster ses sigmas", "{sampler} は 1 ステップでモデルを何度か呼ぶことがあります。sigma を調整するには keep_sampler をオンにしてください", "{sampler}은(는) 한 스텝에 모델을 여러 번 부를 수 있습니다. sigma를 조정하려면 keep_sampler를 켜세요", "{sampler} 每步可能多次调用模型；打开 keep_sampler 以调整其 sigma"],
  "without a name": ["ohne Namen", "sans nom", "名前なし", "이름 없음", "未命名"],
};

let localeOf = () => "en";

/** Say from where the host's language is read, each time anew: a person may change it. */
export function speak(locale) {
  localeOf = locale;
}

/** The words under a key in the host's language, else in English; {name} is filled in from the values. */
export function say(key, values = {}) {
  return filled(WORDS[key][language()], values);
}

/** What Python sends in the host's language: a template of its own with values, or a text that stays as it is. */
export function told(sent) {
  if (typeof sent?.say !== "string") return sent;
  const values = Object.fromEntries(Object.entries(sent.given ?? {}).map(([name, value]) => [name, told(value)]));
  return filled(TOLD[sent.say]?.[language() - 1] ?? sent.say, values);
}

/** Number of the host's language among LANGUAGES; 0, English, where we have it not. */
function language() {
  return Math.max(LANGUAGES.indexOf(String(localeOf() ?? "en").split("-")[0]), 0);
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
