const text=(tag,value,cls)=>{const e=document.createElement(tag);e.textContent=value;if(cls)e.className=cls;return e};
const row=(cells)=>{const r=document.createElement('tr');cells.forEach(([v,c])=>r.append(text('td',v,c)));return r};
const shown=(v,d=3)=>typeof v==='number'?v.toFixed(d):'–';
async function get(path){const h=token.value?{authorization:'Bearer '+token.value}:{};const r=await fetch(path,{headers:h});
 if(!r.ok){const p=await r.json();throw new Error(p.detail)}return r}
function sums(body){const s={};for(const line of body.split('\n')){const m=line.match(/^(\w+)(\{.*\})? ([0-9.e+-]+)$/);
 if(m)(s[m[1]]??=[]).push([m[2]||'',+m[3]])}return s}
let last=null;
async function show(){try{
 const models=(await (await get('v1/models')).json());
 const metrics=sums(await (await get('metrics')).text());
 versions.replaceChildren(...models.models.map(m=>row([[m.community],[m.version],[m.name],[m.serving?'serving':'','dim'],
  [shown(m.kpis.score??m.kpis.S),'n'],[m.trained_by??'–']])));
 const total=(metrics.citylearn_policy_answers_total??[]).reduce((a,[,v])=>a+v,0);
 const clipped=(metrics.citylearn_policy_clipped_values_total??[]).reduce((a,[,v])=>a+v,0);
 const silent=(metrics.citylearn_policy_silent_buildings_total??[]).reduce((a,[,v])=>a+v,0);
 const count=(metrics.citylearn_policy_request_seconds_count??[]).reduce((a,[,v])=>a+v,0);
 const time=(metrics.citylearn_policy_request_seconds_sum??[]).reduce((a,[,v])=>a+v,0);
 const now=performance.now();const rate=last?(count-last[0])/((now-last[1])/1000):null;last=[count,now];
 numbers.replaceChildren(row([['Observations answered'],[String(total),'n']]),
  row([['Requests a second, now'],[shown(rate,1),'n']]),row([['Mean time of a request (ms)'],[count?shown(1000*time/count,2):'–','n']]),
  row([['Measurements clipped'],[String(clipped),'n']]),row([['Buildings not heard of'],[String(silent),'n']]));
 problem.textContent=models.refused_configuration?'A configuration was refused: '+models.refused_configuration:'';
}catch(e){problem.textContent=e.message}}
show();setInterval(show,2000);
